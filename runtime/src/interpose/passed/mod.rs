//! Memory that is passed to the kernel, where the kernel cannot wait for pages.
//!
//! Without the right to handle faults in kernel mode, a system call on a page that is away fails with `EFAULT`. So
//! global memory is not passed to the kernel: what a call reads is copied to private memory before, what it
//! writes is copied back, in user mode, where a touch waits for its page. Nothing is made twice, whatever leaves
//! meanwhile. A call whose arguments are not known here is made again after a touch, as long as it fails so.
//!
//! *Invariants*: ISO-2. *Layout*: [`shapes`] says what a call's arguments point to, [`bounce`] carries it out, [`vectors`] does
//! that for what has pointers inside. *Who may touch what*: copies lie on the calling thread's native stack, or in a
//! mapping of the call's own. *Why not safe code*: arguments of system calls.

mod bounce;
mod libc_calls;
mod lookups;
mod shapes;
mod spawn;
mod text;
pub(super) mod touch;
mod vectors;

use core::sync::atomic::{AtomicBool, Ordering};

use dstd_addr::{GLOBAL_BASE, NATIVE_TOP};

use crate::stack::on_native;
use crate::{context, raw};

/// Whether the kernel can wait for no page.
static NEEDED: AtomicBool = AtomicBool::new(false);

/// Boot: from now on, global memory is kept from the kernel.
pub(crate) fn keep_from_kernel() {
    NEEDED.store(true, Ordering::Relaxed);
}

/// Whether [`keep_from_kernel`] was called.
#[inline]
pub(super) fn is_needed() -> bool {
    NEEDED.load(Ordering::Relaxed)
}

/// Makes a system call in the name of user code; a negative result is `-errno`.
///
/// # Safety
/// - As for [`raw::syscall`].
#[inline]
pub(crate) unsafe fn syscall(number: i64, args: [usize; 6]) -> isize {
    if is_needed() {
        // SAFETY: the caller's.
        return unsafe { syscall_slow(number, args) };
    }
    // SAFETY: the caller's.
    unsafe { raw::syscall(number, args) }
}

/// # Safety
/// - As for [`raw::syscall`].
#[cold]
#[inline(never)]
unsafe fn syscall_slow(number: i64, args: [usize; 6]) -> isize {
    if vectors::has_inner_pointers(number) {
        // SAFETY: the caller's.
        return on_native(|| unsafe { vectors::syscall(number, args) });
    }
    if !args.into_iter().any(is_global) {
        // SAFETY: the caller's.
        return unsafe { raw::syscall(number, args) };
    }
    match shapes::of(number, &args) {
        // SAFETY: the caller's.
        Some(parts) => on_native(|| unsafe { bounce::syscall(number, args, parts) }),
        // SAFETY: the caller's.
        None => on_native(|| unsafe { touch::syscall(number, args) }),
    }
}

/// Whether `addr` is in memory whose pages can be away.
#[inline]
pub(super) fn is_global(addr: usize) -> bool {
    // Most arguments are no addresses at all.
    (GLOBAL_BASE..NATIVE_TOP).contains(&(addr as u64)) && context::is_global(addr as u64)
}

/// References that make the linker take these files.
pub(super) fn keep() -> *const () {
    core::hint::black_box([libc_calls::keep(), lookups::keep(), spawn::keep(), text::keep()])[0]
}
