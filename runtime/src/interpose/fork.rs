//! `fork` in a coherence domain.
//!
//! There stacks are shared memory, so parent and child would run on one stack. The call is made
//! on the native stack, which is private; the parent waits until the child has a copy of
//! the stack it will return to. All else is a private view of the files in the child (see
//! `alloc::fork`), which copies what it writes.
//!
//! *Why not safe code*: C signatures, and pages of a stack.

use core::ffi::{c_int, c_void};

use dstd_addr::PAGE_BYTES;

use super::next::Next;
use crate::stack::on_native;
use crate::{context, raw, record};

type Fork = unsafe extern "C" fn() -> c_int;

static NEXT: Next = Next::new(c"fork");

/// libc's `fork`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fork() -> c_int {
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Fork>(NEXT.get()) };
    let here = 0_u8;
    let stack = record::current().and_then(record::Record::stack);
    match (context::cluster(), stack) {
        (Some(context), Some((start, bytes))) if context.direct => {
            let lowest = ((&raw const here).addr() as u64 - 2 * PAGE_BYTES).max(start);
            on_native(|| fork_apart(next, lowest..start + bytes))
        }
        // SAFETY: the caller's promise.
        _ => unsafe { next() },
    }
}

fn fork_apart(next: Fork, stack: core::ops::Range<u64>) -> c_int {
    let mut ends = [0; 2];
    // SAFETY: the array takes two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return -1;
    }
    // SAFETY: the caller of `fork` vouches for what runs in the child.
    let child = unsafe { next() };
    if child == 0 {
        // The mapping is private already; a write makes the page the child's own.
        for page in (stack.start..stack.end).step_by(PAGE_BYTES as usize) {
            let byte = page as *mut u8;
            // SAFETY: a page of this thread's stack, mapped and writable.
            let value = unsafe { byte.read_volatile() };
            // SAFETY: as above; the byte stays what it is.
            unsafe { byte.write_volatile(value) };
        }
    }
    close(ends[1]);
    if child > 0 {
        let mut byte = 0_u8;
        // SAFETY: reads into a local until the child has closed its end, by itself or by dying.
        while unsafe {
            raw::syscall(libc::SYS_read, [ends[0] as usize, (&raw mut byte) as usize, 1, 0, 0, 0])
        } == -(libc::EINTR as isize)
        {}
    }
    close(ends[0]);
    child
}

fn close(fd: c_int) {
    // SAFETY: a descriptor of this module.
    unsafe { raw::syscall(libc::SYS_close, [fd as usize, 0, 0, 0, 0, 0]) };
}
