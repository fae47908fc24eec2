//! Where things run: the one part of dstd that std does not have.
//!
//! A program need not use it. It names nodes ([`here`], [`nodes`]) and says where threads start ([`on`],
//! [`spawn_on`]) or a function runs ([`call`]).
//!
//! # Examples
//! ```
//! # use dstd_runtime as dstd;
//! use dstd::place;
//!
//! for node in place::nodes() {
//!     assert_eq!(place::spawn_on(node, place::here).join().unwrap(), node);
//! }
//! ```

mod apart;

use crate::ship;
#[cfg(not(one_node))]
use crate::thread::running;
use crate::thread::{JoinHandle, spawn};
use std::cell::Cell;
use std::iter::FusedIterator;
#[cfg(not(one_node))]
use std::panic::resume_unwind;

pub use apart::Apart;
pub use dstd_addr::NodeId;

thread_local! {
    /// Where the threads that this thread spawns start; `None` leaves it to the placement.
    static SPAWNS_ON: Cell<Option<NodeId>> = const { Cell::new(None) };
}

/// The node that runs the calling thread.
///
/// # Network
/// 0.
///
/// # Examples
/// ```
/// # use dstd_runtime as dstd;
/// println!("this is node {}", dstd::place::here());
/// ```
#[must_use]
pub fn here() -> NodeId {
    ship::here()
}

/// All nodes of the program, in the order of their ranks; node 0 runs `main`.
///
/// # Network
/// 0.
///
/// # Examples
/// ```
/// # use dstd_runtime as dstd;
/// use dstd::place;
///
/// assert!(place::nodes().any(|node| node == place::here()));
/// assert_eq!(place::nodes().next(), Some(place::NodeId::ZERO));
/// ```
pub fn nodes() -> Nodes {
    Nodes(0..ship::nodes())
}

/// An iterator over the nodes of the program; made by [`nodes`].
#[derive(Clone, Debug)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Nodes(std::ops::Range<u16>);

impl Iterator for Nodes {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        self.0.next().map(NodeId)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for Nodes {
    fn next_back(&mut self) -> Option<NodeId> {
        self.0.next_back().map(NodeId)
    }
}

impl ExactSizeIterator for Nodes {}
impl FusedIterator for Nodes {}

/// Runs `f` here; threads that the calling thread spawns meanwhile start on `node`.
///
/// It holds for [`thread::spawn`](crate::thread::spawn), for builders and for scopes, and with `--spread all` for
/// threads that other crates start through std; not for the threads of those threads. The innermost `on` counts; it ends with `f`, also if `f` panics.
///
/// # Network
/// 0.
///
/// # Panics
/// If the program has no such node.
///
/// # Examples
/// ```
/// # use dstd_runtime as dstd;
/// use dstd::{place, thread};
///
/// let last = place::nodes().next_back().unwrap();
/// let found = place::on(last, || thread::spawn(place::here)).join().unwrap();
/// assert_eq!(found, last);
/// ```
#[track_caller]
pub fn on<F, R>(node: NodeId, f: F) -> R
where
    F: FnOnce() -> R,
{
    check(node);
    let _directed = Directed::to(Some(node));
    f()
}

/// Spawns a thread on `node`.
///
/// # Network
/// 1 RTT if the node is another, as [`thread::spawn`](crate::thread::spawn).
///
/// # Panics
/// If the program has no such node, or the node cannot start a thread; `on(node, ||
/// Builder::new().spawn(f))` returns that error instead.
///
/// # Examples
/// ```
/// # use dstd_runtime as dstd;
/// use dstd::place;
///
/// let handle = place::spawn_on(place::NodeId::ZERO, || 6 * 7);
/// assert_eq!(handle.join().unwrap(), 42);
/// ```
#[track_caller]
pub fn spawn_on<F, T>(node: NodeId, f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    on(node, || spawn(f))
}

/// Runs `f` on `node` and returns its result. It may borrow.
///
/// On another node `f` runs on a thread of a pool: it has no thread identity of its own, and thread-local
/// variables hold what an earlier call left. On this node it is an ordinary call.
///
/// # Network
/// 1 RTT if the node is another; the messages carry the closure and the result (up to 64 KiB each; larger
/// ones are read as they are used).
///
/// # Panics
/// If the program has no such node; or with the panic of `f`, whose payload is passed on.
///
/// # Examples
/// ```
/// # use dstd_runtime as dstd;
/// use dstd::place;
///
/// let text = String::from("read from every node");
/// for node in place::nodes() {
///     assert_eq!(place::call(node, || text.len()), 20);
/// }
/// ```
#[track_caller]
pub fn call<F, T>(node: NodeId, f: F) -> T
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    check(node);
    #[cfg(not(one_node))]
    if node != here() {
        // SAFETY: the closure and its result are `Send`.
        return match unsafe { running::call(node, f) } {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        };
    }
    // As on a thread of the pool, an `on` around the call does not reach into it.
    let _directed = Directed::to(None);
    f()
}

/// The node on which a thread that is spawned now starts.
#[cfg(not(one_node))]
pub(crate) fn for_spawn() -> NodeId {
    // While thread-local variables are destroyed no `on` is active.
    SPAWNS_ON.try_with(Cell::get).ok().flatten().unwrap_or_else(ship::choose)
}

/// The node on which a thread that std starts now for somebody else starts, with `--spread all`.
#[cfg(not(one_node))]
pub(crate) fn for_other_spawn() -> NodeId {
    SPAWNS_ON.try_with(Cell::get).ok().flatten().unwrap_or_else(ship::choose_untold)
}

/// Whoever starts a thread through std meanwhile starts it on this node: where it runs has been decided. (Not a function
/// that takes a closure: each would be one more copy of what the thread is to run, on the stack.)
#[cfg(not(one_node))]
pub(crate) fn staying() -> Directed {
    Directed::to(Some(here()))
}

/// This thread's spawns go to some node until it is dropped, then to where they went before.
pub(crate) struct Directed {
    before: Option<NodeId>,
}

impl Directed {
    fn to(node: Option<NodeId>) -> Directed {
        Directed { before: SPAWNS_ON.replace(node) }
    }
}

impl Drop for Directed {
    fn drop(&mut self) {
        SPAWNS_ON.set(self.before);
    }
}

#[track_caller]
fn check(node: NodeId) {
    let count = ship::nodes();
    assert!(node.0 < count, "there is no node {node}: the program runs on {count}, numbered from 0");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_is_restored_when_its_closure_panics() {
        let before = SPAWNS_ON.get();
        let outcome = std::panic::catch_unwind(|| {
            on(NodeId::ZERO, || {
                assert_eq!(SPAWNS_ON.get(), Some(NodeId::ZERO));
                std::panic::resume_unwind(Box::new(()));
            })
        });
        assert!(outcome.is_err());
        assert_eq!(SPAWNS_ON.get(), before);
    }

    #[test]
    fn a_node_that_does_not_exist_is_refused() {
        let outcome = std::panic::catch_unwind(|| on(NodeId(u16::MAX), || ()));
        let text = outcome.expect_err("it panicked");
        let text = text.downcast_ref::<String>().expect("a formatted message");
        assert!(text.starts_with("there is no node 65535: the program runs on "), "{text}");
    }

    #[test]
    fn nodes_come_in_order_from_both_ends() {
        let nodes = Nodes(0..3);
        assert_eq!(nodes.len(), 3);
        assert!(nodes.clone().rev().eq([NodeId(2), NodeId(1), NodeId(0)]));
        assert!(nodes.eq([NodeId(0), NodeId(1), NodeId(2)]));
    }

    #[test]
    fn a_call_here_is_a_call_that_passes_its_panic_on() {
        let base = 40;
        assert_eq!(call(here(), || base + 2), 42);
        let outcome = std::panic::catch_unwind(|| call(here(), || std::panic::resume_unwind(Box::new(7u8))));
        assert_eq!(outcome.expect_err("it panicked").downcast_ref::<u8>(), Some(&7));
    }
}
