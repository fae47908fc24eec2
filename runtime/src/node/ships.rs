//! Work that this node has shipped and waits for.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use dstd_addr::NodeId;

use crate::wait::Wait;

/// States of [`Shipped::wait`].
#[derive(Debug)]
pub(crate) struct ShipState;

impl ShipState {
    /// The thread runs on its node.
    pub(crate) const RUNNING: u32 = 1;
    /// It could not be started; the value is the error number.
    pub(crate) const FAILED: u32 = 2;
    /// It has ended and its result is here.
    pub(crate) const ENDED: u32 = 3;
}

/// One closure that runs elsewhere. The engine writes, the owner reads after the state says so.
#[derive(Debug)]
pub(crate) struct Shipped {
    /// Where it runs.
    pub(crate) node: NodeId,
    pub(crate) wait: Wait,
    /// The bytes of the result, set before the state becomes `ENDED`.
    pub(crate) result: OnceLock<Vec<u8>>,
    /// Told when `handle` is set.
    pub(crate) handle_wait: Wait,
    /// The bytes of the thread's `std::thread::Thread`.
    pub(crate) handle: OnceLock<Vec<u8>>,
    /// Nobody will join: how to drop the result, should it still come.
    pub(crate) detached: AtomicBool,
    /// Whether somebody has taken the result to drop it.
    taken: AtomicBool,
    /// Drops a result in place.
    pub(crate) drop_result: unsafe fn(*mut u8),
    /// What the result needs.
    pub(crate) layout: std::alloc::Layout,
}

impl Shipped {
    /// For work that answers with nothing but its end, and that nobody detaches.
    pub(crate) fn without_result() -> Shipped {
        unsafe fn nothing(_: *mut u8) {}
        Shipped::new(NodeId::ZERO, nothing, std::alloc::Layout::new::<()>())
    }

    pub(crate) fn new(node: NodeId, drop_result: unsafe fn(*mut u8), layout: std::alloc::Layout) -> Shipped {
        Shipped {
            node,
            wait: Wait::new(),
            result: OnceLock::new(),
            handle_wait: Wait::new(),
            handle: OnceLock::new(),
            detached: AtomicBool::new(false),
            taken: AtomicBool::new(false),
            drop_result,
            layout,
        }
    }

    /// Whether the caller is the one that drops the unjoined result: the first that asks.
    pub(crate) fn take_result(&self) -> bool {
        !self.taken.swap(true, Ordering::SeqCst)
    }
}
