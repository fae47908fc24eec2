//! What must hold on any number of nodes, wherever the threads run.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

use super::{Builder, JoinHandle, ScopedJoinHandle, available_parallelism, current, park, scope, spawn};
use crate::place::{self, NodeId};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier, mpsc};

fn text(payload: Box<dyn std::any::Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast_ref::<&str>().expect("a text")).to_owned(),
    }
}

#[test]
fn handles_are_send_and_sync_whatever_the_result() {
    fn check<T: Send + Sync>() {}
    check::<JoinHandle<Cell<u8>>>();
    check::<ScopedJoinHandle<'static, Cell<u8>>>();
}

#[test]
fn names_and_stack_sizes_reach_the_thread() {
    let handle = Builder::new().name("remote-worker".into()).stack_size(256 * 1024).spawn(current).unwrap();
    let (id, name) = (handle.thread().id(), handle.thread().name().map(str::to_owned));
    let seen = handle.join().unwrap();
    assert_eq!(seen.id(), id);
    assert_eq!(seen.name(), Some("remote-worker"));
    assert_eq!(name.as_deref(), Some("remote-worker"));
}

#[test]
fn a_name_with_a_null_byte_panics_on_every_node() {
    for node in place::nodes() {
        let outcome = catch_unwind(|| place::on(node, || Builder::new().name("a\0b".into()).spawn(|| ())));
        assert!(text(outcome.unwrap_err()).contains("thread name may not contain interior null bytes"));
    }
}

#[test]
fn a_name_with_a_null_byte_leaves_the_scope_sound() {
    for node in place::nodes() {
        let refused = scope(|s| {
            catch_unwind(AssertUnwindSafe(|| {
                place::on(node, || Builder::new().name("\0".into()).spawn_scoped(s, || ()))
            }))
            .is_err()
        });
        assert!(refused);
    }
}

#[test]
fn a_large_closure_and_a_large_result_arrive() {
    for node in place::nodes() {
        let bytes = [node.0 as u8; 70_000];
        let back = place::spawn_on(node, move || bytes).join().unwrap();
        assert!(back.iter().all(|byte| *byte == node.0 as u8));
        let sum = place::call(node, || bytes.iter().map(|byte| usize::from(*byte)).sum::<usize>());
        assert_eq!(sum, 70_000 * node.index());
    }
}

#[test]
fn a_handle_may_be_joined_or_dropped_on_any_node() {
    for (from, to) in place::nodes().zip(place::nodes().rev()) {
        let handle = place::spawn_on(from, || String::from("carried"));
        assert_eq!(place::call(to, || handle.join().unwrap()), "carried");
        let (ended, told) = mpsc::channel();
        let handle = place::spawn_on(from, move || ended.send(()).unwrap());
        place::call(to, || drop(handle));
        told.recv().unwrap();
    }
}

#[test]
fn panics_carry_their_payload() {
    for node in place::nodes() {
        let handle = place::spawn_on(node, || resume_unwind(Box::new(99u64)));
        assert_eq!(handle.join().unwrap_err().downcast_ref::<u64>(), Some(&99));
        let outcome = catch_unwind(|| place::call(node, || resume_unwind(Box::new(98u64))));
        assert_eq!(outcome.unwrap_err().downcast_ref::<u64>(), Some(&98));
    }
}

#[test]
fn thread_local_destructors_have_run_when_join_returns() {
    struct Last(mpsc::Sender<&'static str>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.send("dropped").unwrap();
        }
    }
    thread_local!(static LAST: Cell<Option<Last>> = const { Cell::new(None) });
    for node in place::nodes() {
        let (sender, receiver) = mpsc::channel();
        place::spawn_on(node, move || LAST.set(Some(Last(sender)))).join().unwrap();
        assert_eq!(receiver.try_recv(), Ok("dropped"));
    }
}

#[test]
fn on_directs_spawns_builders_and_scopes_but_not_their_threads() {
    for node in place::nodes() {
        place::on(node, || {
            assert_eq!(spawn(place::here).join().unwrap(), node);
            assert_eq!(Builder::new().spawn(place::here).unwrap().join().unwrap(), node);
            assert_eq!(scope(|s| s.spawn(place::here).join().unwrap()), node);
            place::on(NodeId::ZERO, || assert_eq!(spawn(place::here).join().unwrap(), NodeId::ZERO));
            assert_eq!(spawn(place::here).join().unwrap(), node);
        });
    }
}

#[test]
fn scoped_threads_borrow_and_nest() {
    let mut chunks = vec![0usize; 8 * place::nodes().len()];
    let total = AtomicUsize::new(0);
    scope(|s| {
        for (node, chunk) in place::nodes().zip(chunks.chunks_mut(8)) {
            let total = &total;
            place::on(node, || {
                s.spawn(move || {
                    chunk.fill(node.index() + 1);
                    // Spawned by a thread of the scope, joined by the scope.
                    s.spawn(move || total.fetch_add(chunk.iter().sum(), Relaxed));
                })
            });
        }
    });
    let expected = place::nodes().map(|node| 8 * (node.index() + 1)).sum::<usize>();
    assert_eq!(chunks.iter().sum::<usize>(), expected);
    assert_eq!(total.into_inner(), expected);
}

#[test]
fn results_that_nobody_joins_are_dropped_before_the_scope_ends() {
    struct Count<'a>(&'a AtomicUsize);
    impl Drop for Count<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    let dropped = AtomicUsize::new(0);
    scope(|s| {
        for _ in 0..100 {
            s.spawn(|| Count(&dropped));
        }
    });
    assert_eq!(dropped.load(Relaxed), 100);
}

#[test]
fn a_scope_panics_only_for_threads_that_were_not_joined() {
    scope(|s| assert!(s.spawn(|| resume_unwind(Box::new(()))).join().is_err()));
    let outcome = catch_unwind(|| {
        scope(|s| {
            s.spawn(|| resume_unwind(Box::new(())));
        })
    });
    assert_eq!(text(outcome.unwrap_err()), "a scoped thread panicked");
}

#[test]
fn a_scope_whose_closure_panics_still_waits_for_its_threads() {
    let done = AtomicUsize::new(0);
    let start = Barrier::new(2);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        scope(|s| {
            s.spawn(|| {
                start.wait();
                done.store(1, Relaxed);
            });
            s.spawn(|| {
                start.wait();
            });
            resume_unwind(Box::new("first"));
        })
    }));
    assert_eq!(text(outcome.unwrap_err()), "first");
    assert_eq!(done.load(Relaxed), 1);
}

#[test]
fn a_thread_of_the_scope_may_join_its_sibling() {
    let value = 20;
    let sum = scope(|s| {
        let first = s.spawn(|| value + 1);
        let second = s.spawn(move || first.join().unwrap() * 2);
        second.join().unwrap()
    });
    assert_eq!(sum, 42);
}

#[test]
fn a_thread_that_joins_itself_panics_and_is_waited_for() {
    let waited_for = AtomicUsize::new(0);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        scope(|s| {
            let (sender, receiver) = mpsc::channel::<ScopedJoinHandle<'_, ()>>();
            let waited_for = &waited_for;
            let handle = place::on(place::here(), || {
                s.spawn(move || {
                    let own = receiver.recv().unwrap();
                    let joined = catch_unwind(AssertUnwindSafe(|| own.join()));
                    waited_for.store(1, Relaxed);
                    assert!(joined.is_err());
                })
            });
            sender.send(handle).unwrap();
        })
    }));
    assert!(outcome.is_ok());
    assert_eq!(waited_for.into_inner(), 1);
}

#[test]
fn many_short_threads_are_joined_along_the_way() {
    let seen = Arc::new(AtomicUsize::new(0));
    scope(|s| {
        for _ in 0..500 {
            let seen = Arc::clone(&seen);
            s.spawn(move || seen.fetch_add(1, Relaxed));
        }
    });
    assert_eq!(Arc::try_unwrap(seen).unwrap().into_inner(), 500);
}

#[test]
fn a_parked_thread_is_unparked_through_its_handle() {
    let handle = spawn(park);
    handle.thread().unpark();
    handle.join().unwrap();
}

#[test]
fn parallelism_is_at_least_that_of_this_node() {
    assert!(available_parallelism().unwrap() >= std::thread::available_parallelism().unwrap());
}
