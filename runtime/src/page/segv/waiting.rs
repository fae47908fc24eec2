//! Threads that wait in the handler of `SIGSEGV` for the engine.
//!
//! *Layout*: a list of nodes on the stacks of the waiting threads: their private alternate stacks, or native ones.
//! *Who may touch what, when*: a node belongs to its thread until it is published, then to the engine until the
//! engine has set `done`; from then on it may be gone.

use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::OnceLock;

use dstd_addr::Kind;

use super::super::faults::Fault;
use crate::context::Context;
use crate::{raw, stack};

struct Node {
    fault: Fault,
    next: *mut Node,
    /// 1 when the page is there, or has been meanwhile.
    done: AtomicU32,
}

static ARRIVED: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());

struct Service {
    context: &'static Context,
    /// Whether pages are served, and not strays only.
    pages: bool,
}

static SERVICE: OnceLock<Service> = OnceLock::new();

/// Boot: from now on, touches of global memory that fail are passed to the engine; without `pages` only those of
/// memory that is private to another node.
pub(crate) fn serve_by_signal(context: &'static Context, pages: bool) {
    SERVICE.get_or_init(|| Service { context, pages });
}

/// Whether pages are served by signals in this process.
pub(crate) fn by_signal() -> bool {
    SERVICE.get().is_some_and(|service| service.pages)
}

/// In the handler of `SIGSEGV`, all signals blocked: waits for the page at `address`, or returns false when the engine
/// has nothing to do with it.
pub(crate) fn serve_signal(address: u64, write: bool) -> bool {
    let Some(service) = SERVICE.get() else { return false };
    let ours = match service.context.layout.kind(address) {
        Kind::Stack(owner) if owner == service.context.me => service.pages && !stack::is_guard(address),
        Kind::Heap(_) | Kind::Stack(_) | Kind::Striped(_) | Kind::ThreadLocal(_) | Kind::Static => {
            service.pages
        }
        Kind::Native(owner) | Kind::Private(owner) => owner != service.context.me,
        Kind::Unused | Kind::Image => false,
    };
    if ours {
        wait(service, Fault { address, write });
    }
    ours
}

fn wait(service: &Service, fault: Fault) {
    let mut node = Node { fault, next: ptr::null_mut(), done: AtomicU32::new(0) };
    let at = &raw mut node;
    let mut head = ARRIVED.load(Ordering::Relaxed);
    loop {
        // SAFETY: the node is ours until the exchange below publishes it.
        unsafe { (*at).next = head };
        // Release: pairs with the acquire in `take`.
        match ARRIVED.compare_exchange_weak(head, at, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => break,
            Err(now) => head = now,
        }
    }
    service.context.queue.wake();
    // SAFETY: the node lives until this function returns, and the engine only stores to this word.
    let done = unsafe { &(*at).done };
    // Acquire: pairs with the release in `Waiting::wake`.
    while done.load(Ordering::Acquire) == 0 {
        raw::futex_wait(done, 0, None);
    }
}

/// Engine: whether there is something to take.
pub(super) fn has_arrived() -> bool {
    !ARRIVED.load(Ordering::Relaxed).is_null()
}

/// Engine: takes all threads that have arrived, the first one first.
pub(super) fn take(into: &mut Vec<Waiting>) {
    let from = into.len();
    // Acquire: pairs with the release in `wait`.
    let mut at = ARRIVED.swap(ptr::null_mut(), Ordering::Acquire);
    while !at.is_null() {
        into.push(Waiting(at));
        // SAFETY: a published node, whose thread waits until the engine wakes it.
        at = unsafe { (*at).next };
    }
    into[from..].reverse();
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
        let op = (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as usize;
        // SAFETY: a private wake uses the address as a key only: the thread may have gone on.
        unsafe { raw::syscall(libc::SYS_futex, [done as usize, op, 1, 0, 0, 0]) };
    }
}
