//! What a thread does to another one, whose identity it has: a thread of another node is found there.
//!
//! libc's functions look into the thread's control block, which never leaves its node; so they are called at the owner.
//! Identities are compared without a look (`pthread_equal`).
//!
//! *Why not safe code*: C signatures.

use core::ffi::{c_char, c_int, c_void};

use libc::{pthread_t, size_t};

use super::next::Next;
use super::spread;

/// libc's `pthread_kill`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_kill(thread: pthread_t, signal: c_int) -> c_int {
    type Function = unsafe extern "C" fn(pthread_t, c_int) -> c_int;
    static NEXT: Next = Next::new(c"pthread_kill");
    // SAFETY: the caller's promise.
    let call = || unsafe { pthread_kill(thread, signal) };
    // SAFETY: two numbers.
    if let Some(result) = unsafe { spread::elsewhere(thread, call) } {
        return result;
    }
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
    // SAFETY: the caller's promise.
    unsafe { next(thread, signal) }
}

/// libc's `pthread_cancel`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_cancel(thread: pthread_t) -> c_int {
    type Function = unsafe extern "C" fn(pthread_t) -> c_int;
    static NEXT: Next = Next::new(c"pthread_cancel");
    // SAFETY: the caller's promise.
    let call = || unsafe { pthread_cancel(thread) };
    // SAFETY: a number.
    if let Some(result) = unsafe { spread::elsewhere(thread, call) } {
        return result;
    }
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
    // SAFETY: the caller's promise.
    unsafe { next(thread) }
}

/// libc's `pthread_getname_np`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_getname_np(thread: pthread_t, name: *mut c_char, len: size_t) -> c_int {
    type Function = unsafe extern "C" fn(pthread_t, *mut c_char, size_t) -> c_int;
    static NEXT: Next = Next::new(c"pthread_getname_np");
    // SAFETY: the caller's promise.
    let call = || unsafe { pthread_getname_np(thread, name, len) };
    // SAFETY: numbers, and the address of the caller's place in user memory.
    if let Some(result) = unsafe { spread::elsewhere(thread, call) } {
        return result;
    }
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
    // SAFETY: the caller's promise.
    unsafe { next(thread, name, len) }
}

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    pthread_kill as *const ()
}
