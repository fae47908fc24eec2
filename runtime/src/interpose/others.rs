//! What a thread does to another one, whose identity it has: a thread of another node is found there.
//!
//! libc's functions look into the thread's control block, which never leaves its node; so they are called at the owner.
//! Identities are compared without a look (`pthread_equal`).
//!
//! *Why not safe code*: C signatures.

use core::ffi::{CStr, c_char, c_int, c_void};

use libc::{pthread_t, size_t};

use super::inherited::NAME_BYTES;
use super::next::Next;
use super::spread;
use crate::stack::on_native;

/// libc's `pthread_kill`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_kill(thread: pthread_t, signal: c_int) -> c_int {
    type Function = unsafe extern "C" fn(pthread_t, c_int) -> c_int;
    static NEXT: Next = Next::new(c"pthread_kill");
    // SAFETY: the caller's promise.
    let call = move || (unsafe { pthread_kill(thread, signal) }, ());
    // SAFETY: two numbers.
    if let Some((result, _)) = unsafe { spread::elsewhere(thread, call) } {
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
    let call = move || (unsafe { pthread_cancel(thread) }, ());
    // SAFETY: a number.
    if let Some((result, _)) = unsafe { spread::elsewhere(thread, call) } {
        return result;
    }
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
    // SAFETY: the caller's promise.
    unsafe { next(thread) }
}

/// A thread's name, with its end.
type Name = [c_char; NAME_BYTES];

/// libc's `pthread_getname_np`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_getname_np(thread: pthread_t, name: *mut c_char, len: size_t) -> c_int {
    let call = move || name_of(thread);
    // SAFETY: a number, and bytes.
    let found = unsafe { spread::elsewhere(thread, call) };
    let (result, found) = found.unwrap_or_else(|| {
        let (result, found) = name_of(thread);
        (result, Some(found))
    });
    match found {
        // As libc, whatever the name is.
        _ if len < NAME_BYTES => libc::ERANGE,
        Some(found) if result == 0 => {
            // SAFETY: the caller passes room for `len` bytes, which is enough.
            unsafe { core::ptr::copy_nonoverlapping(found.as_ptr(), name, NAME_BYTES) };
            0
        }
        _ => result,
    }
}

/// libc's answer about a thread of this node: the kernel writes it, so not to user memory.
fn name_of(thread: pthread_t) -> (c_int, Name) {
    type Function = unsafe extern "C" fn(pthread_t, *mut c_char, size_t) -> c_int;
    static NEXT: Next = Next::new(c"pthread_getname_np");
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
    on_native(|| {
        let mut name = [0; NAME_BYTES];
        // SAFETY: a local of this size; the thread is the caller's business.
        (unsafe { next(thread, name.as_mut_ptr(), NAME_BYTES) }, name)
    })
}

/// libc's `pthread_setname_np`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_setname_np(thread: pthread_t, name: *const c_char) -> c_int {
    // SAFETY: a C string of the caller's.
    let given = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    let mut name: Name = [0; NAME_BYTES];
    if given.len() > NAME_BYTES {
        return libc::ERANGE;
    }
    name.iter_mut().zip(given).for_each(|(to, &byte)| *to = byte as c_char);
    // SAFETY: a number, and bytes.
    if let Some((result, _)) = unsafe { spread::elsewhere(thread, move || (set_name(thread, name), ())) } {
        return result;
    }
    set_name(thread, name)
}

/// Names a thread of this node: the kernel reads the name, so not from user memory.
fn set_name(thread: pthread_t, name: Name) -> c_int {
    type Function = unsafe extern "C" fn(pthread_t, *const c_char) -> c_int;
    static NEXT: Next = Next::new(c"pthread_setname_np");
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
    on_native(|| {
        let copy = name;
        // SAFETY: a C string on this stack; the thread is the caller's business.
        unsafe { next(thread, copy.as_ptr()) }
    })
}

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    pthread_kill as *const ()
}
