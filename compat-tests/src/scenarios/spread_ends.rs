//! How programs, their nodes and their children end while std's threads run everywhere.

#![expect(unsafe_code, reason = "std has no fork")]

use core::ptr;
use dstd::place;
use std::os::unix::thread::JoinHandleExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::cluster;
use crate::spread::print_nodes;

/// A thread of std on each node, which runs until it is told.
fn waiting() -> (Vec<JoinHandle<place::NodeId>>, Vec<mpsc::Sender<()>>) {
    let one = |node| {
        let (go, wait) = mpsc::channel();
        let run = move || {
            wait.recv().unwrap();
            place::here()
        };
        (place::on(node, || thread::spawn(run)), go)
    };
    place::nodes().map(one).unzip()
}

/// Whether what a child of a fork does with threads of its parent is as it shall be: the first that is not, from 1.
fn wrong_in_a_child(workers: Vec<JoinHandle<place::NodeId>>) -> i32 {
    for (number, worker) in (1..).zip(&workers) {
        let thread = worker.as_pthread_t();
        // SAFETY: an identity that was valid; the thread does not exist in this process.
        let found = unsafe { libc::pthread_kill(thread, 0) };
        if found == 0 {
            return number;
        }
    }
    // Only the forking thread goes on here, so nobody is joined.
    workers.into_iter().for_each(drop);
    let own = thread::spawn(|| (1..=10).sum::<i32>()).join();
    if own.ok() != Some(55) {
        return 100;
    }
    let mut both = [0, 0];
    let (first, second) = both.split_at_mut(1);
    thread::scope(|scope| {
        scope.spawn(|| first[0] = 1);
        scope.spawn(|| second[0] = 2);
    });
    if both == [1, 2] { 0 } else { 101 }
}

/// A program with threads of std on all nodes forks, on each node.
pub(crate) fn forked() -> String {
    for i in 0..cluster::size() {
        let forks = cluster::spawn(i, || {
            let (workers, go) = waiting();
            // SAFETY: the child runs one function of this file and ends.
            let child = unsafe { libc::fork() };
            assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
            if child == 0 {
                let code = catch_unwind(AssertUnwindSafe(|| wrong_in_a_child(workers))).unwrap_or(102);
                // SAFETY: ends the child.
                unsafe { libc::_exit(code) };
            }
            let mut status = 0;
            // SAFETY: the status is writable.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0, "the child's status is {status:#x}");
            go.into_iter().for_each(|go| go.send(()).unwrap());
            workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
        });
        print_nodes(forks.join().unwrap());
    }
    format!("{} children", cluster::size())
}

/// Main returns while threads of std on all nodes start others, which nobody joins, or wait for each other.
pub(crate) fn left() -> String {
    let (tell, told) = mpsc::channel();
    let spinning = Arc::new(AtomicU64::new(0));
    let never = Arc::new(Barrier::new(usize::MAX));
    for _ in 0..2 * cluster::size() {
        let (tell, spinning, never) = (tell.clone(), Arc::clone(&spinning), Arc::clone(&never));
        thread::spawn(move || {
            let kept = Arc::clone(&spinning);
            thread::spawn(move || {
                loop {
                    kept.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let waits = thread::spawn(move || never.wait());
            tell.send(place::here()).unwrap();
            drop(waits);
            loop {
                drop(thread::spawn(|| thread::sleep(Duration::from_millis(5))));
                thread::spawn(|| ()).join().unwrap();
            }
        });
    }
    let nodes: Vec<_> = told.iter().take(2 * cluster::size()).collect();
    print_nodes(nodes);
    format!("{} threads", 2 * cluster::size())
}

/// A thread of std ends the program while others start threads.
pub(crate) fn exit() -> String {
    fn leave() {
        for _ in 0..20 {
            thread::spawn(|| ()).join().unwrap();
        }
        std::process::exit(7)
    }
    for node in place::nodes().chain(place::nodes()) {
        place::on(node, || {
            thread::spawn(|| {
                loop {
                    thread::spawn(|| ()).join().unwrap();
                }
            })
        });
    }
    place::on(cluster::last(), || thread::spawn(leave)).join().unwrap();
    String::from("never")
}

/// Threads of std on all nodes work on a common lock until somebody ends a node.
pub(crate) fn run_on() -> String {
    for (rank, node) in place::nodes().enumerate() {
        let pid = place::call(node, std::process::id);
        println!("node {rank} is process {pid}");
    }
    let counter = Arc::new(Mutex::new(0_u64));
    let all = Arc::new(Barrier::new(cluster::size() + 1));
    let workers: Vec<_> = place::nodes()
        .map(|node| {
            let (counter, all) = (Arc::clone(&counter), Arc::clone(&all));
            let work = move || -> () {
                all.wait();
                loop {
                    *counter.lock().unwrap() += 1;
                    // A short life on the next node.
                    thread::spawn(|| ()).join().unwrap();
                }
            };
            place::on(node, || thread::spawn(work))
        })
        .collect();
    all.wait();
    println!("all run");
    let ended: Vec<thread::Result<()>> = workers.into_iter().map(JoinHandle::join).collect();
    format!("{} never", ended.len())
}

/// Tokens, whoever gives them and when.
pub(crate) fn parked() -> String {
    let mut nodes = Vec::new();
    for i in 0..2 * cluster::size() {
        let turn = Arc::new(AtomicUsize::new(0));
        let (tell, told) = mpsc::channel();
        let own = Arc::clone(&turn);
        let worker = thread::spawn(move || {
            tell.send(place::here()).unwrap();
            while own.load(Ordering::SeqCst) == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            // The token was there before: it is one, however often it was given.
            thread::park();
            own.store(2, Ordering::SeqCst);
            while own.load(Ordering::SeqCst) == 2 {
                thread::park();
            }
            thread::park_timeout(Duration::from_millis(1));
            own.load(Ordering::SeqCst)
        });
        nodes.push(told.recv().unwrap());
        let thread = worker.thread().clone();
        let wakes = turn.clone();
        cluster::spawn(i, move || {
            thread.unpark();
            thread.unpark();
            wakes.store(1, Ordering::SeqCst);
            while wakes.load(Ordering::SeqCst) != 2 {
                thread::sleep(Duration::from_millis(1));
            }
            wakes.store(3, Ordering::SeqCst);
            thread.unpark();
        })
        .join()
        .unwrap();
        assert_eq!(worker.join().unwrap(), 3);
    }
    print_nodes(nodes);
    format!("{} threads", 2 * cluster::size())
}

struct Counts(Arc<AtomicUsize>);

impl Drop for Counts {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[inline(never)]
fn descend(level: usize) -> usize {
    let frame = std::hint::black_box([level; 128]);
    if level == 0 { 0 } else { descend(level - 1) + frame[1].min(1) }
}

/// Stacks of the size that was asked for; where there is none, the closure is dropped once, here.
pub(crate) fn sized() -> String {
    const LEVELS: usize = 10_000;
    let mut nodes = Vec::new();
    for _ in 0..2 * cluster::size() {
        let deep = thread::Builder::new().stack_size(64 << 20);
        let deep = deep.spawn(|| (descend(LEVELS), place::here())).unwrap();
        let (found, node) = deep.join().unwrap();
        assert_eq!(found, LEVELS);
        nodes.push(node);
    }
    for _ in 0..2 * cluster::size() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let counts = Counts(Arc::clone(&dropped));
        let absurd = thread::Builder::new().stack_size(1 << 60).spawn(move || drop(counts));
        assert!(absurd.is_err(), "a stack of 2^60 bytes");
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    }
    print_nodes(nodes);
    format!("{} threads", 2 * cluster::size())
}

/// The value of a panic is dropped once, by whoever joins, and a scope's end waits for all.
pub(crate) fn panics() -> String {
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut nodes = Vec::new();
    for i in 0..2 * cluster::size() {
        let counts = Counts(Arc::clone(&dropped));
        let (tell, told) = mpsc::channel();
        let worker = thread::spawn(move || {
            tell.send(place::here()).unwrap();
            std::panic::resume_unwind(Box::new(counts))
        });
        nodes.push(told.recv().unwrap());
        let joined = cluster::spawn(i, move || worker.join().map(|()| 0).unwrap_err());
        let payload = joined.join().unwrap();
        assert_eq!(dropped.load(Ordering::SeqCst), i);
        assert!(payload.is::<Counts>());
        drop(payload);
        assert_eq!(dropped.load(Ordering::SeqCst), i + 1);
    }
    let finished = AtomicUsize::new(0);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        thread::scope(|scope| {
            for i in 0..2 * cluster::size() {
                let finished = &finished;
                scope.spawn(move || {
                    if i == 0 {
                        std::panic::resume_unwind(Box::new(i));
                    }
                    thread::sleep(Duration::from_millis(10));
                    finished.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
    }));
    let payload = outcome.unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"a scoped thread panicked"));
    assert_eq!(finished.into_inner(), 2 * cluster::size() - 1);
    print_nodes(nodes);
    format!("{} panics", 2 * cluster::size() + 1)
}

/// A detached thread's identity is used when the thread is gone: as in C anything may come of it, but the nodes go on.
pub(crate) fn used_after() -> String {
    for node in place::nodes() {
        let (tell, told) = mpsc::channel();
        let worker = place::on(node, || thread::spawn(move || tell.send(()).unwrap()));
        let thread = worker.as_pthread_t();
        drop(worker);
        assert_eq!(told.iter().count(), 1);
        // SAFETY: none; the memory that it names stays mapped, and is hardly another thread's by now.
        let error = unsafe { libc::pthread_join(thread, ptr::null_mut()) };
        println!("a join with {error}");
        assert_eq!(place::on(node, || thread::spawn(place::here)).join().unwrap(), node);
    }
    format!("{} nodes", cluster::size())
}
