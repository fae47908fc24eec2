//! A program of edition 2024, renamed: let chains, async closures, futures polled by hand, traits with
//! generic parameters.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, LinkedList};
use std::fmt::{self, Debug, Display};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Polls a future on this thread, which parks while it waits.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

/// Completes when another thread has sent a value.
struct Sent<T>(Arc<Mutex<(Option<T>, Option<Waker>)>>);

impl<T> Future for Sent<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut state = self.0.lock().unwrap();
        if let Some(value) = state.0.take() {
            return Poll::Ready(value);
        }
        state.1 = Some(context.waker().clone());
        Poll::Pending
    }
}

#[test]
fn the_program_got_dstd() {
    let found = std::place::call(std::place::here(), std::place::here);
    assert_eq!(found, std::place::here());
}

#[test]
fn a_future_is_woken_by_another_thread() {
    let state = Arc::new(Mutex::new((None, None::<Waker>)));
    let sender = thread::spawn({
        let state = Arc::clone(&state);
        move || {
            let mut state = state.lock().unwrap();
            state.0 = Some("sent".to_string());
            if let Some(waker) = state.1.take() {
                waker.wake();
            }
        }
    });
    let twice = async |text: String| text.repeat(2);
    assert_eq!(block_on(async { twice(Sent(state).await).await }), "sentsent");
    sender.join().unwrap();
}

trait Shape: Send + Sync {
    fn area(&self) -> f64;
    fn boxed(self) -> Box<dyn Shape>
    where
        Self: Sized + 'static,
    {
        Box::new(self)
    }
}

struct Square(f64);
struct Circle(f64);

impl Shape for Square {
    fn area(&self) -> f64 {
        self.0 * self.0
    }
}

impl Shape for Circle {
    fn area(&self) -> f64 {
        std::f64::consts::PI * self.0 * self.0
    }
}

fn show<T, const N: usize>(items: [T; N]) -> impl Display
where
    T: Debug,
{
    struct Shown(String);
    impl Display for Shown {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.pad(&self.0)
        }
    }
    Shown(items.iter().map(|item| format!("{item:?}")).collect::<Vec<_>>().join("+"))
}

#[test]
fn trait_objects_cross_threads() {
    let shapes: Arc<[Box<dyn Shape>]> = Arc::from(vec![Square(2.0).boxed(), Circle(1.0).boxed()]);
    let areas: Vec<f64> = (0..shapes.len())
        .map(|index| {
            let shapes = Arc::clone(&shapes);
            thread::spawn(move || shapes[index].area())
        })
        .map(|thread| thread.join().unwrap())
        .collect();
    assert_eq!(areas, [4.0, std::f64::consts::PI]);
    assert_eq!(format!("{:>6}", show([1, 2])), "   1+2");
}

#[test]
fn poison_and_recovery() {
    let lock = Arc::new(RwLock::new(LinkedList::from(["a"])));
    let failed = thread::Builder::new().spawn({
        let lock = Arc::clone(&lock);
        move || {
            let mut list = lock.write().unwrap();
            list.push_back("b");
            std::panic::resume_unwind(Box::new("stop"));
        }
    });
    let payload = failed.unwrap().join().unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"stop"));
    assert!(lock.is_poisoned());
    assert_eq!(lock.read().unwrap_or_else(PoisonError::into_inner).len(), 2);
}

#[test]
fn nested_scopes_and_let_chains() {
    let total = AtomicU64::new(0);
    let words: BTreeMap<&str, Option<u64>> =
        BTreeMap::from([("one", Some(1)), ("none", None), ("five", Some(5))]);
    thread::scope(|s| {
        for (word, value) in &words {
            let total = &total;
            s.spawn(move || {
                if let Some(value) = value
                    && word.len() > 2
                {
                    thread::scope(|inner| {
                        inner.spawn(|| total.fetch_add(*value, Ordering::Relaxed)).join().unwrap()
                    });
                }
            });
        }
    });
    assert_eq!(total.into_inner(), 6);
}

#[test]
fn thread_locals_are_per_thread() {
    thread_local! {
        static COUNT: Cell<u32> = const { Cell::new(0) };
        static NAME: OnceCell<String> = const { OnceCell::new() };
    }
    COUNT.set(7);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        NAME.with(|name| name.set(format!("count {}", COUNT.get())).unwrap());
        sender.send(NAME.with(|name| name.get().cloned())).unwrap();
    });
    assert_eq!(receiver.recv().unwrap().as_deref(), Some("count 0"));
    assert_eq!((COUNT.get(), NAME.with(|name| name.get().is_none())), (7, true));
    let guard: fn(&Mutex<u8>) -> MutexGuard<'_, u8> = |lock| lock.lock().unwrap();
    assert_eq!(*guard(&Mutex::new(9)), 9);
}
