//! Children of `fork`: usable locks, and own memory instead of the cluster's.
//!
//! *Invariants*: HEAP-3.
//!
//! *Layout*, *who may touch what*: nothing of its own.
//!
//! *Why not safe code*: the handlers are registered with C.
//!
//! Handlers run for `fork` only; `posix_spawn` and `vfork` need none. What the child has of the cluster's memory is
//! `crate::fork`'s business.

use core::sync::atomic::{AtomicBool, Ordering};

use super::boot::{PARTITION, PRIVATE};
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
    crate::fork::before();
}

unsafe extern "C" fn in_parent() {
    crate::fork::in_parent_locked();
    PRIVATE.unlock_after_fork();
    PARTITION.unlock_after_fork();
    crate::fork::in_parent();
}

unsafe extern "C" fn in_child() {
    crate::fork::in_child();
    PRIVATE.unlock_after_fork();
    PARTITION.unlock_after_fork();
    remote::mute();
    crate::context::forked();
}
