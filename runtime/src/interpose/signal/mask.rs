//! Signal masks: where pages come by `SIGSEGV`, nobody blocks it.

use core::ffi::{c_int, c_void};

use libc::sigset_t;

use super::super::next::Next;
use crate::stack::on_native;
use crate::{context, page};

static PTHREAD_SIGMASK: Next = Next::new(c"pthread_sigmask");

/// The set without the signal that brings pages, if one does.
pub(crate) fn without_segv(mut set: sigset_t) -> sigset_t {
    if page::by_signal() || context::is_child() {
        // SAFETY: the set is valid.
        unsafe { libc::sigdelset(&raw mut set, libc::SIGSEGV) };
    }
    set
}

/// The signals that exist, as the kernel's word.
pub(super) fn bits(set: &sigset_t) -> u64 {
    let word: *const u64 = core::ptr::from_ref(set).cast();
    // SAFETY: libc's set begins with the kernel's.
    unsafe { word.read_unaligned() }
}

/// The opposite of [`bits`].
pub(super) fn set_of(bits: u64) -> sigset_t {
    let mut set = core::mem::MaybeUninit::<sigset_t>::zeroed();
    // SAFETY: libc's set begins with the kernel's.
    unsafe { set.as_mut_ptr().cast::<u64>().write_unaligned(bits) };
    // SAFETY: all bit patterns are valid.
    unsafe { set.assume_init() }
}

/// libc's `pthread_sigmask`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_sigmask(how: c_int, new: *const sigset_t, old: *mut sigset_t) -> c_int {
    type Function = unsafe extern "C" fn(c_int, *const sigset_t, *mut sigset_t) -> c_int;
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(PTHREAD_SIGMASK.get()) };
    if context::cluster().is_none() && !page::by_signal() && !context::is_child() {
        // SAFETY: the caller's promise.
        return unsafe { next(how, new, old) };
    }
    // SAFETY: null or valid, by the rules of the function.
    let new = unsafe { new.as_ref() }.copied();
    let mut before = set_of(0);
    let error = on_native(|| {
        // Copies in private memory: the kernel reads and writes them.
        let new = new.map(|set| if how == libc::SIG_UNBLOCK { set } else { without_segv(set) });
        let mut found = set_of(0);
        let new = new.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        // SAFETY: null or valid for the call.
        let error = unsafe { next(how, new, &raw mut found) };
        before = found;
        error
    });
    if error == 0 && !old.is_null() {
        // SAFETY: valid for writes, by the rules of the function.
        unsafe { old.write(before) };
    }
    error
}

/// libc's `sigprocmask`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn sigprocmask(how: c_int, new: *const sigset_t, old: *mut sigset_t) -> c_int {
    // SAFETY: the caller's promise.
    let error = unsafe { pthread_sigmask(how, new, old) };
    if error == 0 { 0 } else { super::super::fd::fail(error) as c_int }
}

/// Has the running thread take the signal that brings pages.
pub(super) fn unblock_segv(blocked: u64) -> u64 {
    blocked & !(1 << (libc::SIGSEGV - 1))
}

/// Sets the kernel's mask of the running thread.
pub(super) fn set(blocked: u64) {
    let args = [libc::SIG_SETMASK as usize, (&raw const blocked) as usize, 0, size_of::<u64>(), 0, 0];
    // SAFETY: the kernel reads eight bytes of a local.
    unsafe { crate::raw::syscall(libc::SYS_rt_sigprocmask, args) };
}

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    pthread_sigmask as *const ()
}
