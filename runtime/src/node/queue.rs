//! Work that user and runtime threads hand to the engine thread.
//!
//! *Invariants*: the engine waits for nobody: a push takes no lock. *Layout*: a stack of boxed
//! nodes; the engine takes all of it at once and turns it around, so requests of one thread keep
//! their order. *Who may touch what, when*: a node belongs to its pusher until the exchange of
//! `head` has published it, then to the engine. *Why not safe code*: the list is lock-free.

use super::Request;
use crate::primitive::{AtomicBool, AtomicI32, AtomicPtr, Ordering, fence};
use crate::raw;

#[derive(Debug)]
struct Node {
    request: Request,
    next: *mut Node,
}

/// A lock-free queue with one consumer.
#[derive(Debug)]
pub(crate) struct Queue {
    head: AtomicPtr<Node>,
    asleep: AtomicBool,
    event: AtomicI32,
}

impl Queue {
    pub(crate) fn new() -> Queue {
        Queue {
            head: AtomicPtr::new(core::ptr::null_mut()),
            asleep: AtomicBool::new(false),
            event: AtomicI32::new(-1),
        }
    }

    /// Which eventfd wakes the engine; set before the first push.
    pub(crate) fn set_event(&self, fd: i32) {
        self.event.store(fd, Ordering::Relaxed);
    }

    /// Hands over a request. Runtime code: allocates from the private heap.
    pub(crate) fn push(&self, request: Request) {
        let node = Box::into_raw(Box::new(Node { request, next: core::ptr::null_mut() }));
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the node is still ours: it is published by the exchange below.
            unsafe { (*node).next = head };
            // Release: pairs with the acquire in `take`.
            match self.head.compare_exchange_weak(head, node, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
        self.wake();
    }

    /// Wakes the engine if it sleeps, or is about to: it shall see what the caller has published. Works
    /// in a signal handler.
    pub(crate) fn wake(&self) {
        // SeqCst: either the engine sees the news after it announced sleep, or we see the announcement.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed) {
            let one = 1_u64;
            let fd = self.event.load(Ordering::Relaxed) as usize;
            // SAFETY: writes eight bytes of a local to an eventfd.
            unsafe { raw::syscall(libc::SYS_write, [fd, (&raw const one) as usize, 8, 0, 0, 0]) };
        }
    }

    /// Engine: whether there is something to take.
    pub(crate) fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// Engine: announces that it is about to sleep. It must look at [`Queue::is_empty`] after
    /// that, and at what else callers of [`Queue::wake`] publish, and sleep only if nothing is there, on the eventfd among others.
    pub(crate) fn announce_sleep(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        // SeqCst: pairs with the fence in `wake`.
        fence(Ordering::SeqCst);
    }

    /// Engine: is awake again.
    pub(crate) fn announce_awake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// Engine: takes everything, in the order in which it was pushed.
    pub(crate) fn take(&self, into: &mut Vec<Request>) {
        // Acquire: pairs with the release in `push`.
        let mut node = self.head.swap(core::ptr::null_mut(), Ordering::Acquire);
        let from = into.len();
        while !node.is_null() {
            // SAFETY: every node in the list came from `Box::into_raw` and is taken out once.
            let boxed = unsafe { Box::from_raw(node) };
            node = boxed.next;
            into.push(boxed.request);
        }
        into[from..].reverse();
    }
}

// SAFETY: nodes are handed over whole: the pusher keeps no reference, and `Request` is `Send`.
unsafe impl Sync for Queue {}
// SAFETY: as above; the pointers are owned by the queue.
unsafe impl Send for Queue {}
