//! The end of a thread: its caches and collected remote frees go back.
//!
//! *Invariants*: HEAP-3.
//!
//! *Layout*: one pthread key; its value only says that the destructor shall run.
//!
//! *Who may touch what, when*: the ending thread its own slot.
//!
//! *Why not safe code*: pthread keys are C; a Rust thread-local with a destructor would allocate.

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use std::sync::OnceLock;

use dstd_heap::ThreadCache;

use super::route::{SLOT, Which, take_cache};
use super::{fork, remote};

static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();

/// Gives everything this thread has cached back to the heaps. Idempotent; a later allocation or
/// free of this thread still works, slowly.
///
/// It runs by itself when a thread ends, after the thread-local destructors.
pub(super) fn thread_end() {
    remote::flush_remote();
    SLOT.with(|slot| slot.ended.set(true));
    for which in [Which::User, Which::Runtime] {
        if let Some(cache) = take_cache(which) {
            give_back(which, cache);
        }
    }
}

/// Sends what `cache` has collected and returns it to its heap.
pub(super) fn give_back(which: Which, mut cache: NonNull<ThreadCache>) {
    loop {
        // SAFETY: the caller owns the cache; borrowed for this call only.
        let batch = unsafe { cache.as_mut() }.take_remote();
        match batch {
            Some(batch) => remote::send(batch),
            None => break,
        }
    }
    // SAFETY: the cache is from this heap and the caller does not use it again.
    unsafe { which.heap().retire(cache) };
}

/// Arranges that this thread's end is noticed. May allocate, from the caches that are set already.
pub(super) fn register() {
    fork::register();
    let Some(key) = *KEY.get_or_init(new_key) else { return };
    let marker: *const c_void = ptr::from_ref(&KEY).cast();
    // SAFETY: the key exists; the value is only compared with null by libc.
    let refused = unsafe { libc::pthread_setspecific(key, marker) };
    // Refused for want of memory: this thread's caches are lost when it ends, nothing else.
    debug_assert_eq!(refused, 0);
}

/// Sets C's errno.
pub(super) fn set_errno(code: i32) {
    // SAFETY: always a valid pointer to this thread's errno.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above, and nobody else writes this thread's errno.
    unsafe { errno.write(code) };
}

fn new_key() -> Option<libc::pthread_key_t> {
    let mut key = 0;
    // SAFETY: `key` is writable, and the destructor is a function of the right type.
    let refused = unsafe { libc::pthread_key_create(&raw mut key, Some(at_thread_end)) };
    (refused == 0).then_some(key)
}

unsafe extern "C" fn at_thread_end(_marker: *mut c_void) {
    thread_end();
}
