//! The environment and the working directory are the program's: a change reaches every node
//! before the call returns.
//!
//! # Network
//! 1 round trip to node 0, which makes 1 to every other node at once.
//!
//! *Why not safe code*: C signatures.

use core::ffi::{CStr, c_char, c_int, c_void};

use super::next::Next;
use crate::ship::change_environment;
use crate::stack::on_native;
use crate::{alloc, context};

static SETENV: Next = Next::new(c"setenv");
static UNSETENV: Next = Next::new(c"unsetenv");
static CHDIR: Next = Next::new(c"chdir");

/// Whether a change by the running thread is the program's (and not ours).
fn is_shared() -> bool {
    context::cluster().is_some() && !alloc::in_runtime()
}

/// A copy in private memory of what the user's pointer names.
fn bytes_of(text: *const c_char) -> Vec<u8> {
    // SAFETY: the caller of the interposed function passes a C string.
    unsafe { CStr::from_ptr(text) }.to_bytes().to_vec()
}

/// libc's `setenv`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn setenv(name: *const c_char, value: *const c_char, overwrite: c_int) -> c_int {
    type Function = unsafe extern "C" fn(*const c_char, *const c_char, c_int) -> c_int;
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(SETENV.get()) };
    // SAFETY: the caller's promise.
    let result = unsafe { next(name, value, overwrite) };
    if result == 0 && is_shared() {
        on_native(|| {
            // SAFETY: a C string by the caller's promise; the value that holds now is sent, whatever
            // `overwrite` said.
            let now = unsafe { libc::getenv(name) };
            if !now.is_null() {
                change_environment(&bytes_of(name), Some(&bytes_of(now)));
            }
        });
    }
    result
}

/// libc's `unsetenv`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn unsetenv(name: *const c_char) -> c_int {
    type Function = unsafe extern "C" fn(*const c_char) -> c_int;
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(UNSETENV.get()) };
    // SAFETY: the caller's promise.
    let result = unsafe { next(name) };
    if result == 0 && is_shared() {
        on_native(|| change_environment(&bytes_of(name), None));
    }
    result
}

/// libc's `chdir`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn chdir(path: *const c_char) -> c_int {
    type Function = unsafe extern "C" fn(*const c_char) -> c_int;
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(CHDIR.get()) };
    // SAFETY: the caller's promise.
    let result = unsafe { next(path) };
    if result == 0 && is_shared() {
        on_native(follow_directory);
    }
    result
}

fn follow_directory() {
    use std::os::unix::ffi::OsStrExt;
    if let Ok(directory) = std::env::current_dir() {
        change_environment(b"", Some(directory.as_os_str().as_bytes()));
    }
}
