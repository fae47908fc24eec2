//! Byte by byte, for machines without a string instruction.
//!
//! Invariants: XPORT-2, a copy is complete before anything that follows it in program order.
//! Layout: bytes; where they lie is drawn in `layout.rs`.
//! Who may touch what, when: the private side belongs to the caller; the shared side may be
//! written by a peer at any time, so what was copied may be torn, but it is the caller's then.
//! Why not safe code: a slice of memory that another process writes would be a promise nobody
//! keeps. Atomics of one byte each make none.

use std::sync::atomic::{AtomicU8, Ordering};

/// Copies `count` bytes.
///
/// # Safety
/// - `from` is valid for reads and `to` for writes of `count` bytes; they do not overlap.
/// - The private one of the two is not accessed by anybody else meanwhile.
pub(in crate::shm) unsafe fn copy(from: *const u8, to: *mut u8, count: usize) {
    for at in 0..count {
        // SAFETY: `at` is below `count`, for which `from` is valid.
        let from = unsafe { from.add(at) };
        // SAFETY: `at` is below `count`, for which `to` is valid.
        let to = unsafe { to.add(at) };
        // SAFETY: valid as above, a byte is aligned anywhere, and whoever else accesses it does so
        // atomically or is another process. Only loaded, so read-only memory will do.
        let from = unsafe { &*from.cast::<AtomicU8>() };
        // SAFETY: as above, for writes.
        let to = unsafe { AtomicU8::from_ptr(to) };
        to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}
