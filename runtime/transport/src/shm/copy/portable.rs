//! Byte by byte, for machines without a string instruction.

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
