//! Where the threads of a scenario run.

use dstd::place::{self, NodeId};
use dstd::thread::{self, JoinHandle, Scope, ScopedJoinHandle};
use std::time::Duration;

/// How many nodes there are.
pub(crate) fn size() -> usize {
    place::nodes().len()
}

/// The `i`-th node, counting round and round.
pub(crate) fn nth(i: usize) -> NodeId {
    place::nodes().nth(i % size()).expect("the index is below the number of nodes")
}

/// The last node: on more than one node it is not the one that runs `main`.
pub(crate) fn last() -> NodeId {
    nth(size() - 1)
}

/// Spawns `f` on the `i`-th node, and checks that it runs there.
pub(crate) fn spawn<F, T>(i: usize, f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let node = nth(i);
    place::spawn_on(node, move || {
        assert_eq!(place::here(), node);
        f()
    })
}

/// Spawns the scoped thread `f` on the `i`-th node, and checks that it runs there.
pub(crate) fn scoped<'scope, F, T>(
    scope: &'scope Scope<'scope, '_>,
    i: usize,
    f: F,
) -> ScopedJoinHandle<'scope, T>
where
    F: FnOnce() -> T + Send + 'scope,
    T: Send + 'scope,
{
    let node = nth(i);
    place::on(node, || {
        scope.spawn(move || {
            assert_eq!(place::here(), node);
            f()
        })
    })
}

/// Runs `f(i)` on every node at once, one thread each, and returns the results in rank order.
pub(crate) fn everywhere<F, T>(f: F) -> Vec<T>
where
    F: Fn(usize) -> T + Send + Clone + 'static,
    T: Send + 'static,
{
    let threads: Vec<_> = (0..size())
        .map(|i| {
            let f = f.clone();
            spawn(i, move || f(i))
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// Lets the others in at every `every`-th step. Threads that never pause have done all their work before another
/// node has fetched the page, and nothing would be contended.
pub(crate) fn pause(step: u64, every: u64) {
    if step.is_multiple_of(every) {
        thread::sleep(Duration::from_micros(20));
    }
}
