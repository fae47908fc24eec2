//! Stacks in this node's partition.
//!
//! *Invariants*: HEAP-2, HEAP-3. *Layout*: the stack range of the partition is cut from below;
//! each stack is a guard page and then usable pages. *Who may touch what*: the free lists are
//! private memory; a stack belongs to one thread until that thread's start routine has returned.
//! *Why not safe code*: guard pages.

use std::sync::Mutex;

use dstd_addr::{Layout, PAGE_BYTES};

use crate::context;

/// One stack: addresses of its guard page and of its end.
#[derive(Debug)]
pub(crate) struct UserStack {
    start: u64,
    bytes: u64,
}

struct Pool {
    used: u64,
    free: Vec<UserStack>,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { used: 0, free: Vec::new() });

impl UserStack {
    /// A stack of at least `bytes` usable bytes, or `None` when the range is used up.
    ///
    /// Runtime code: called with the runtime flag set, on a native stack.
    pub(crate) fn take(bytes: u64) -> Option<UserStack> {
        let range = Layout::stacks(context::me());
        // Few sizes, so that ended threads' stacks serve new ones.
        let bytes = bytes.max(PAGE_BYTES).checked_next_power_of_two()?.checked_add(PAGE_BYTES)?;
        let mut pool = POOL.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(at) = pool.free.iter().position(|stack| stack.bytes == bytes) {
            return Some(pool.free.swap_remove(at));
        }
        let start = range.start + pool.used;
        if bytes > range.end - start {
            return None;
        }
        pool.used += bytes;
        drop(pool);
        // SAFETY: the page lies in this node's stack range and was just cut out for this stack.
        let guarded =
            unsafe { libc::mprotect(start as *mut libc::c_void, PAGE_BYTES as usize, libc::PROT_NONE) };
        (guarded == 0).then_some(UserStack { start, bytes })
    }

    /// The end of the stack, where the stack pointer starts; 16-byte aligned.
    pub(crate) fn top(&self) -> usize {
        (self.start + self.bytes) as usize
    }

    /// First address above the guard page, and size.
    pub(crate) fn usable(&self) -> (u64, u64) {
        (self.start + PAGE_BYTES, self.bytes - PAGE_BYTES)
    }

    /// Gives the stack back for the next thread. Runtime code, as [`UserStack::take`].
    pub(crate) fn give_back(self) {
        POOL.lock().unwrap_or_else(std::sync::PoisonError::into_inner).free.push(self);
    }
}
