//! The list of threads that wait in the handler of `SIGSEGV`.
//!
//! *Layout*: nodes on the stacks of the waiting threads: their private alternate stacks, or native ones.
//! *Who may touch what, when*: a node belongs to its thread until it is published, then to the engine until the
//! engine has set `done`; from then on it may be gone.
//! *Why not safe code*: the list is lock-free, and in a signal handler nothing can be allocated.

use core::ptr;

use super::super::faults::Fault;
use crate::primitive::{AtomicPtr, AtomicU32, Ordering};
use crate::raw;

/// One thread.
#[derive(Debug)]
struct Node {
    fault: Fault,
    next: *mut Node,
    /// 1 when the page is there, or has been meanwhile.
    done: AtomicU32,
}

/// The threads that have arrived and were not taken.
pub(super) struct Arrivals {
    head: AtomicPtr<Node>,
}

impl Arrivals {
    /// Nobody.
    pub(super) fn new() -> Arrivals {
        Arrivals { head: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Waits until the engine has served the fault. `tell` has the engine look here. Works in a signal handler.
    pub(super) fn wait(&self, fault: Fault, tell: impl FnOnce()) {
        let mut node = Node { fault, next: ptr::null_mut(), done: AtomicU32::new(0) };
        let at = &raw mut node;
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the node is ours until the exchange below publishes it.
            unsafe { (*at).next = head };
            // Release: pairs with the acquire in `take`.
            match self.head.compare_exchange_weak(head, at, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
        tell();
        // SAFETY: the node lives until this function returns, and the engine only stores to this word.
        let done = unsafe { &(*at).done };
        // Acquire: pairs with the release in `Waiting::wake`.
        while done.load(Ordering::Acquire) == 0 {
            raw::futex_wait(done, 0, None);
        }
    }

    /// Engine: whether nobody has arrived.
    pub(super) fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// Engine: takes all threads that have arrived, the first one first.
    pub(super) fn take(&self, into: &mut Vec<Waiting>) {
        let from = into.len();
        // Acquire: pairs with the release in `wait`.
        let mut at = self.head.swap(ptr::null_mut(), Ordering::Acquire);
        while !at.is_null() {
            into.push(Waiting(at));
            // SAFETY: a published node, whose thread waits until the engine wakes it.
            at = unsafe { (*at).next };
        }
        into[from..].reverse();
    }
}

/// A thread that waits; the engine's.
#[derive(Debug)]
pub(super) struct Waiting(*mut Node);

// SAFETY: a published node belongs to whoever took it from the list.
unsafe impl Send for Waiting {}

impl Waiting {
    pub(super) fn fault(&self) -> Fault {
        // SAFETY: the thread waits, so its node is there.
        unsafe { (*self.0).fault }
    }

    /// The thread touches its page again. Called once; the node is then gone.
    pub(super) fn wake(&self) {
        // SAFETY: the thread waits, so its node is there.
        let done = unsafe { &raw const (*self.0).done };
        // SAFETY: as above. Release: pairs with the acquire in `wait`.
        unsafe { (*done).store(1, Ordering::Release) };
        raw::futex_wake_gone(done, 1);
    }
}
