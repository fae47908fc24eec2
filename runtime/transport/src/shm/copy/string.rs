//! The string instruction: as fast as any loop for what is copied here, and opaque.
//!
//! Invariants: XPORT-2, a copy is complete before anything that follows it in program order.
//! Layout: bytes; where they lie is drawn in `layout.rs`.
//! Who may touch what, when: the private side belongs to the caller; the shared side may be
//! written by a peer at any time, so what was copied may be torn, but it is the caller's then.
//! Why not safe code: a slice of memory that another process writes would be a promise nobody
//! keeps, and `ptr::copy` lets the compiler assume that nobody else writes.

use std::arch::asm;

/// Copies `count` bytes.
///
/// # Safety
/// - `from` is valid for reads and `to` for writes of `count` bytes; they do not overlap.
/// - The private one of the two is not accessed by anybody else meanwhile.
pub(in crate::shm) unsafe fn copy(from: *const u8, to: *mut u8, count: usize) {
    // SAFETY: the instruction reads and writes exactly the bytes that the caller vouches for; the
    // direction flag is clear, as it is at the beginning of every asm block. Its stores are seen
    // by others before any later store, since those are not part of a string instruction.
    unsafe {
        asm!(
            "rep movsb",
            inout("rcx") count => _,
            inout("rsi") from => _,
            inout("rdi") to => _,
            options(nostack, preserves_flags)
        );
    }
}
