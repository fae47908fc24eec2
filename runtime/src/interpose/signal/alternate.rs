//! `sigaltstack`: every user thread has one of ours; what the program asks for is remembered.
//!
//! Memory that the program names may be a page that is away, which the kernel cannot write to.

use core::ffi::c_int;

use libc::stack_t;

use super::super::fd::fail;
use crate::{raw, record};

/// libc's `sigaltstack`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn sigaltstack(new: *const stack_t, old: *mut stack_t) -> c_int {
    let Some(kept) = record::current().and_then(record::Record::alternate) else {
        // SAFETY: the caller's promise; a thread without a record runs on private memory.
        let result = unsafe { raw::syscall(libc::SYS_sigaltstack, [new as usize, old as usize, 0, 0, 0, 0]) };
        return if result < 0 { fail(-result as c_int) as c_int } else { 0 };
    };
    let asked = kept.get();
    // SAFETY: null or valid, by the rules of sigaltstack.
    if let Some(&new) = unsafe { new.as_ref() } {
        if new.ss_flags & !libc::SS_DISABLE != 0 {
            return fail(libc::EINVAL) as c_int;
        }
        if new.ss_flags == 0 && new.ss_size < libc::MINSIGSTKSZ {
            return fail(libc::ENOMEM) as c_int;
        }
        kept.set(new);
    }
    if !old.is_null() {
        // SAFETY: valid for writes, by the rules of sigaltstack.
        unsafe { old.write(asked) };
    }
    0
}

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    sigaltstack as *const ()
}
