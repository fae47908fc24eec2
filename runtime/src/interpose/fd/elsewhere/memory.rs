//! The calling thread's memory, as the arguments of a system call name it.
//!
//! *Why not safe code*: addresses. The caller of the libc function vouches for them, as it does towards the kernel. They
//! are user memory: touched by the calling thread itself, on its native stack, with no lock held (ISO-2).

use core::mem::MaybeUninit;

/// Appends `len` bytes at `addr` to `bytes`.
///
/// # Safety
/// - `addr` is valid for reads of `len` bytes.
pub(super) unsafe fn append(bytes: &mut Vec<u8>, addr: u64, len: usize) {
    bytes.reserve(len);
    let spare: &mut [MaybeUninit<u8>] = bytes.spare_capacity_mut();
    // SAFETY: the caller's promise; there is room for `len` bytes. Uninitialised bytes travel as whatever they are.
    unsafe { core::ptr::copy_nonoverlapping(addr as *const u8, spare.as_mut_ptr().cast(), len) };
    let all = bytes.len() + len;
    // SAFETY: just written.
    unsafe { bytes.set_len(all) };
}

/// Writes `bytes` to `addr`.
///
/// # Safety
/// - `addr` is valid for writes of so many bytes.
pub(super) unsafe fn put(addr: u64, bytes: &[u8]) {
    // SAFETY: the caller's promise; the runtime's memory does not overlap the program's.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), addr as *mut u8, bytes.len()) };
}

/// The value at `addr`.
///
/// # Safety
/// - `addr` is valid for reads of a `T`, of any alignment.
pub(super) unsafe fn get<T: Copy>(addr: u64) -> T {
    // SAFETY: the caller's promise.
    unsafe { (addr as *const T).read_unaligned() }
}

/// Sets the value at `addr`.
///
/// # Safety
/// - `addr` is valid for writes of a `T`, of any alignment.
pub(super) unsafe fn set<T: Copy>(addr: u64, value: T) {
    // SAFETY: the caller's promise.
    unsafe { (addr as *mut T).write_unaligned(value) };
}
