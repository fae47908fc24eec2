//! Stacks in this node's partition.
//!
//! *Invariants*: HEAP-2, HEAP-3. *Layout*: the stack range of the partition is cut from below;
//! each stack is a guard page and then usable pages. *Who may touch what*: the free lists are
//! private memory; a stack belongs to one thread until that thread's start routine has returned.
//! *Why not safe code*: guard pages.

use core::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Mutex;

use dstd_addr::{Layout, PAGE_BYTES};

use super::alternate::{self, Alternate};
use crate::{context, keeper};

/// One stack: addresses of its guard page and of its end.
#[derive(Debug)]
pub(crate) struct UserStack {
    start: u64,
    bytes: u64,
    /// Whether the system may hold memory for it.
    used: bool,
    alternate: Alternate,
}

/// The guard pages of this node, for ever: stacks are never cut anew.
static GUARDS: AtomicPtr<Guard> = AtomicPtr::new(core::ptr::null_mut());

struct Guard {
    page: u64,
    next: *const Guard,
}

/// Whether `addr` is in a guard page of this node. Takes no lock.
pub(crate) fn is_guard(addr: u64) -> bool {
    // Acquire: pairs with the release in `guard`; nodes are leaked and never change.
    let mut at = GUARDS.load(Ordering::Acquire).cast_const();
    // SAFETY: null, or a leaked node.
    while let Some(guard) = unsafe { at.as_ref() } {
        if guard.page == addr & !(PAGE_BYTES - 1) {
            return true;
        }
        at = guard.next;
    }
    false
}

/// Makes the page at `start` a guard page.
fn guard(start: u64) -> bool {
    let new = Box::leak(Box::new(Guard { page: start, next: core::ptr::null() }));
    let mut head = GUARDS.load(Ordering::Acquire);
    loop {
        new.next = head;
        match GUARDS.compare_exchange_weak(head, new, Ordering::Release, Ordering::Acquire) {
            Ok(_) => break,
            Err(now) => head = now,
        }
    }
    // SAFETY: the page lies in this node's stack range and was just cut out for a stack.
    unsafe { libc::mprotect(start as *mut libc::c_void, PAGE_BYTES as usize, libc::PROT_NONE) == 0 }
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
        // The youngest, whose memory is still there.
        if let Some(at) = pool.free.iter().rposition(|stack| stack.bytes == bytes) {
            return Some(UserStack { used: true, ..pool.free.remove(at) });
        }
        let start = range.start + pool.used;
        if bytes > range.end - start {
            return None;
        }
        pool.used += bytes;
        drop(pool);
        let alternate = Alternate::map()?;
        guard(start).then_some(UserStack { start, bytes, used: true, alternate })
    }

    /// The running thread, which has this stack, handles signals on a private one.
    pub(crate) fn install_alternate(&self) {
        self.alternate.install();
    }

    /// The end of the stack, where the stack pointer starts; 16-byte aligned.
    pub(crate) fn top(&self) -> usize {
        (self.start + self.bytes) as usize
    }

    /// First address above the guard page, and size.
    pub(crate) fn usable(&self) -> (u64, u64) {
        (self.start + PAGE_BYTES, self.bytes - PAGE_BYTES)
    }

    /// The running thread, which has this stack, will handle signals on the stack it is on.
    pub(crate) fn remove_alternate(&self) {
        alternate::remove();
    }

    /// Gives the stack back for the next thread. Runtime code, as [`UserStack::take`].
    pub(crate) fn give_back(self) {
        POOL.lock().unwrap_or_else(std::sync::PoisonError::into_inner).free.push(self);
        keeper::note(keeper::FREED);
    }
}

/// Keeper: gives the memory of ended threads' stacks back to the system, but for the `keep` youngest.
pub(crate) fn return_stacks(keep: usize) {
    while let Some(stack) = take_idle(keep) {
        let (start, bytes) = stack.usable();
        keeper::discard_range(start..start + bytes, |_, _| keeper::discarded());
        let mut pool = POOL.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Before those whose memory is there, which are taken first.
        pool.free.insert(0, UserStack { used: false, ..stack });
    }
}

/// The oldest stack that may hold memory, when there are more than `keep`.
fn take_idle(keep: usize) -> Option<UserStack> {
    let mut pool = POOL.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if pool.free.iter().filter(|stack| stack.used).count() <= keep {
        return None;
    }
    let at = pool.free.iter().position(|stack| stack.used)?;
    Some(pool.free.remove(at))
}
