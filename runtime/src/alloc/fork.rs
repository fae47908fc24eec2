//! Children of `fork`: usable locks, and own memory instead of the cluster's.
//!
//! *Invariants*: HEAP-3; PAGE-1: a child must not write the parent's memory file, which other nodes
//! see.
//!
//! *Layout*, *who may touch what*: nothing of its own.
//!
//! *Why not safe code*: the handlers are registered with C.
//!
//! Handlers run for `fork` only; `posix_spawn` and `vfork` need none. What the child cannot have is
//! memory whose page is at another node: other partitions are absent (a touch is SIGSEGV), and own
//! pages that were away show what they held when they left.

use core::sync::atomic::{AtomicBool, Ordering};

use super::boot::{self, PARTITION, PRIVATE};
use super::remote;

static REGISTERED: AtomicBool = AtomicBool::new(false);

/// Registers the handlers once. They come before everybody else's, so they run last before a fork
/// and first after it, and no other handler allocates while the locks are held.
pub(super) fn register() {
    if REGISTERED.swap(true, Ordering::Relaxed) {
        return;
    }
    // SAFETY: the handlers are functions of the right type that do not unwind.
    let refused = unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    debug_assert_eq!(refused, 0);
}

unsafe extern "C" fn before() {
    crate::interpose::check_fork();
    PARTITION.lock_for_fork();
    PRIVATE.lock_for_fork();
}

unsafe extern "C" fn in_parent() {
    PRIVATE.unlock_after_fork();
    PARTITION.unlock_after_fork();
}

unsafe extern "C" fn in_child() {
    // A child's child: its memory is private already.
    if !crate::context::is_child()
        && let Err(error) = boot::reservation().remap_after_fork()
    {
        boot::stop(&error);
    }
    PRIVATE.unlock_after_fork();
    PARTITION.unlock_after_fork();
    remote::mute();
    crate::context::forked();
}
