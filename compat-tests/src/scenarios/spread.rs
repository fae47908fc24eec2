//! Threads that this file starts through std itself, as a crate does that has never heard of dstd.
//!
//! With `--spread all` they run on all nodes; without it they run where they are started. What they compute is the same.
//! The line `on ..` says where they ran.

use dstd::place;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;

use crate::cluster;

/// Prints where threads ran.
pub(crate) fn print_nodes(nodes: impl IntoIterator<Item = place::NodeId>) {
    let nodes: BTreeSet<String> = nodes.into_iter().map(|node| node.to_string()).collect();
    println!("on {}", nodes.into_iter().collect::<Vec<_>>().join(" "));
}

fn threads() -> usize {
    2 * cluster::size()
}

/// Closures, results, names, thread ids and panics.
pub(crate) fn joins() -> String {
    let mut nodes = Vec::new();
    let mut ids = BTreeSet::new();
    for i in 0..threads() {
        let words = vec![format!("word {i}"); 100];
        let named = thread::Builder::new().name(format!("worker {i}")).stack_size(300_000);
        let handle = named
            .spawn(move || {
                let current = thread::current();
                (words.concat(), place::here(), current.name().map(str::to_owned), current.id())
            })
            .unwrap();
        let id = handle.thread().id();
        let (text, node, name, own_id) = handle.join().unwrap();
        assert_eq!(text, format!("word {i}").repeat(100));
        assert_eq!((name, own_id), (Some(format!("worker {i}")), id));
        assert!(ids.insert(format!("{id:?}")), "{id:?} twice");
        nodes.push(node);
    }
    let panics: Vec<_> = (0..threads()).map(|i| thread::spawn(move || std::panic::panic_any(i))).collect();
    for (i, handle) in panics.into_iter().enumerate() {
        let payload = handle.join().unwrap_err();
        assert_eq!(payload.downcast_ref::<usize>(), Some(&i));
    }
    print_nodes(nodes);
    format!("{} threads", ids.len())
}

/// Borrows of a stack, and a panic that reaches the scope.
pub(crate) fn scopes() -> String {
    let mut numbers: Vec<u64> = (0..10_000).collect();
    let nodes = Mutex::new(Vec::new());
    let sum = AtomicUsize::new(0);
    thread::scope(|scope| {
        for part in numbers.chunks_mut(10_000 / threads()) {
            let (nodes, sum) = (&nodes, &sum);
            scope.spawn(move || {
                part.iter_mut().for_each(|number| *number *= 2);
                sum.fetch_add(part.len(), Ordering::Relaxed);
                nodes.lock().unwrap().push(place::here());
            });
        }
    });
    assert_eq!(sum.into_inner(), 10_000);
    assert!(numbers.iter().zip(0..).all(|(number, i)| *number == 2 * i));
    let outcome = std::panic::catch_unwind(|| {
        thread::scope(|scope| {
            for i in 0..threads() {
                scope.spawn(move || assert_ne!(i, 1, "the second one fails"));
            }
        });
    });
    assert!(outcome.is_err());
    print_nodes(nodes.into_inner().unwrap());
    format!("{} parts", threads())
}

/// Threads that nobody joins, which wait for one another.
pub(crate) fn detached() -> String {
    let turn = Arc::new((Mutex::new(0), Condvar::new()));
    let (tell, told) = mpsc::channel();
    for i in (0..threads()).rev() {
        let (turn, tell) = (Arc::clone(&turn), tell.clone());
        drop(thread::spawn(move || {
            let (next, changed) = &*turn;
            let mut next = changed.wait_while(next.lock().unwrap(), |next| *next != i).unwrap();
            tell.send((i, place::here())).unwrap();
            *next += 1;
            changed.notify_all();
        }));
    }
    drop(tell);
    let (order, nodes): (Vec<_>, Vec<_>) = told.iter().unzip();
    assert_eq!(order, (0..threads()).collect::<Vec<_>>());
    print_nodes(nodes);
    format!("{} threads", order.len())
}

thread_local! {
    static LAST_WORD: RefCell<Option<LastWord>> = const { RefCell::new(None) };
}

struct LastWord(Arc<AtomicUsize>);

impl Drop for LastWord {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A handle is joined on another node than it was made on; thread-locals are dropped before the join returns.
pub(crate) fn handles() -> String {
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut nodes = Vec::new();
    for i in 0..threads() {
        let word = LastWord(Arc::clone(&dropped));
        let worker = thread::spawn(move || {
            LAST_WORD.with(|last| *last.borrow_mut() = Some(word));
            thread::park();
            place::here()
        });
        let known = worker.thread().clone();
        // One after the other, on each node.
        let joined = cluster::spawn(i, move || worker.join().unwrap());
        known.unpark();
        nodes.push(joined.join().unwrap());
        assert_eq!(dropped.load(Ordering::SeqCst), i + 1);
    }
    print_nodes(nodes);
    format!("{} handles", threads())
}

/// Threads that start threads.
pub(crate) fn trees() -> String {
    fn count(depth: u32, nodes: &Mutex<Vec<place::NodeId>>) -> usize {
        nodes.lock().unwrap().push(place::here());
        if depth == 0 {
            return 1;
        }
        thread::scope(|scope| {
            let children = [(); 2].map(|()| scope.spawn(|| count(depth - 1, nodes)));
            children.into_iter().map(|child| child.join().unwrap()).sum::<usize>() + 1
        })
    }
    let nodes = Mutex::new(Vec::new());
    let found = count(4, &nodes);
    assert_eq!(found, 31);
    print_nodes(nodes.into_inner().unwrap());
    format!("{found} threads")
}

/// As many threads on the last node as the second argument says, joined one after the other: for counting messages.
pub(crate) fn counted() -> String {
    let count: u64 = std::env::args().nth(2).map_or(10, |word| word.parse().unwrap());
    let sum: u64 =
        (0..count).map(|i| place::on(cluster::last(), || thread::spawn(move || i)).join().unwrap()).sum();
    assert_eq!(sum, count * (count - 1) / 2);
    format!("{count} threads")
}

/// What is placed by hand stays where it was placed.
pub(crate) fn kept() -> String {
    for node in place::nodes() {
        let found = place::on(node, || dstd::thread::spawn(place::here)).join().unwrap();
        assert_eq!(found, node);
    }
    let here = place::on(place::here(), || thread::spawn(place::here)).join().unwrap();
    assert_eq!(here, place::here());
    format!("{} nodes", cluster::size())
}
