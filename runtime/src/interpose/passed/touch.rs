//! A system call that is made again after a touch of what it names.

use core::arch::asm;

use super::is_global;
use crate::{context, raw};

/// How often a call is made again: pages that others write all the time may leave between touch and call.
const TRIES: usize = 10_000;

/// Makes the call `number` until it does not fail for want of a page.
///
/// # Safety
/// - As [`raw::syscall`]; and a call that has failed with `EFAULT` may be made again.
pub(super) unsafe fn syscall(number: i64, args: [usize; 6]) -> isize {
    let bytes = if number == libc::SYS_ioctl { ioctl_bytes(args[1]) } else { 1 };
    let mut tries = 0;
    loop {
        for arg in args.into_iter().filter(|&arg| is_global(arg)) {
            touch(arg, bytes);
        }
        // SAFETY: the caller's.
        let result = unsafe { raw::syscall(number, args) };
        tries += 1;
        if result != -(libc::EFAULT as isize) || tries == TRIES {
            return result;
        }
    }
}

/// `futex` on a word of global memory. The time is copied: the kernel would read it where the word's waiters are queued.
///
/// # Safety
/// - As [`raw::syscall`] for `SYS_futex` with a time or none; on a native stack.
pub(in crate::interpose) unsafe fn futex(mut args: [usize; 6], has_time: bool) -> isize {
    let time = args[3] as *const libc::timespec;
    // SAFETY: null, or a time of the caller's.
    let time = if has_time { unsafe { time.as_ref() } } else { None }.copied();
    if let Some(time) = &time {
        args[3] = core::ptr::from_ref(time) as usize;
    }
    let mut tries = 0;
    loop {
        // SAFETY: the caller's.
        let result = unsafe { raw::syscall(libc::SYS_futex, args) };
        tries += 1;
        if result != -(libc::EFAULT as isize) || tries == TRIES {
            return result;
        }
        touch_to_read(args[0]);
    }
}

/// How many bytes the argument of an `ioctl` may point to: newer requests say it.
fn ioctl_bytes(request: usize) -> usize {
    const OLDEST: usize = 256;
    let said = request >> 16 & 0x3fff;
    if said == 0 { OLDEST } else { said }
}

/// Has this node own the pages of `len` bytes from `start` on, for now.
pub(in crate::interpose) fn touch(start: usize, len: usize) {
    const PAGE: usize = dstd_addr::PAGE_BYTES as usize;
    let end = start + len.max(1);
    let mut at = start;
    while at < end {
        if context::home(at as u64).is_some() {
            // SAFETY: changes no bit of a mapped byte, atomically, whoever else writes it: what the caller passes
            // to the kernel is its own, or shares a page with that.
            unsafe { asm!("lock or byte ptr [{}], 0", in(reg) at, options(nostack)) };
        }
        at = (at & !(PAGE - 1)) + PAGE;
    }
}

/// Has this node hold a copy of the page at `addr`, for now.
fn touch_to_read(addr: usize) {
    // SAFETY: a mapped byte, by the rules of the system call that is to read it.
    unsafe { asm!("test byte ptr [{}], 0", in(reg) addr, options(nostack, readonly)) };
}
