//! The string instruction: as fast as any loop for what is copied here, and opaque.

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
