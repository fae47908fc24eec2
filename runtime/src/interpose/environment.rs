//! The environment and the working directory are the program's: a change reaches every node
//! before the call returns. With several nodes only the spawner threads write the environment.
//!
//! # Network
//! 1 round trip to node 0, which makes 1 to every other node at once.
//!
//! *Why not safe code*: C signatures.

use core::ffi::{CStr, c_char, c_int, c_void};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

use super::next::Next;
use crate::ship::change_environment;
use crate::stack::on_native;
use crate::{alloc, context, raw};

static SETENV: Next = Next::new(c"setenv");
static PUTENV: Next = Next::new(c"putenv");
static CLEARENV: Next = Next::new(c"clearenv");
static UNSETENV: Next = Next::new(c"unsetenv");

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
    if is_shared() {
        return on_native(|| {
            let Some(name) = valid(name) else { return invalid() };
            // SAFETY: both are C strings by the caller's promise.
            let keep = overwrite == 0 && !unsafe { libc::getenv(name.as_ptr()) }.is_null();
            if !keep {
                change_environment(name.to_bytes(), Some(&bytes_of(value)));
            }
            0
        });
    }
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(SETENV.get()) };
    // SAFETY: the caller's promise.
    unsafe { next(name, value, overwrite) }
}

/// libc's `unsetenv`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn unsetenv(name: *const c_char) -> c_int {
    type Function = unsafe extern "C" fn(*const c_char) -> c_int;
    if is_shared() {
        return on_native(|| {
            let Some(name) = valid(name) else { return invalid() };
            change_environment(name.to_bytes(), None);
            0
        });
    }
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(UNSETENV.get()) };
    // SAFETY: the caller's promise.
    unsafe { next(name) }
}

/// libc's `putenv`. With several nodes the variable is a copy of the string: changing that later changes nothing.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn putenv(variable: *mut c_char) -> c_int {
    type Function = unsafe extern "C" fn(*mut c_char) -> c_int;
    if is_shared() {
        return on_native(|| {
            let variable = bytes_of(variable);
            let mut parts = variable.splitn(2, |&byte| byte == b'=');
            match (parts.next().filter(|name| !name.is_empty()), parts.next()) {
                (Some(name), value) => change_environment(name, value),
                (None, _) => return invalid(),
            }
            0
        });
    }
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(PUTENV.get()) };
    // SAFETY: the caller's promise.
    unsafe { next(variable) }
}

/// libc's `clearenv`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn clearenv() -> c_int {
    type Function = unsafe extern "C" fn() -> c_int;
    if is_shared() {
        return on_native(|| {
            for (name, _) in std::env::vars_os() {
                change_environment(name.as_bytes(), None);
            }
            0
        });
    }
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(CLEARENV.get()) };
    // SAFETY: the caller's promise.
    unsafe { next() }
}

/// The name in private memory, if a variable can be called so.
fn valid(name: *const c_char) -> Option<CString> {
    if name.is_null() {
        return None;
    }
    let name = bytes_of(name);
    if name.is_empty() || name.contains(&b'=') { None } else { CString::new(name).ok() }
}

fn invalid() -> c_int {
    // SAFETY: the address of this thread's errno.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: valid for the thread's life.
    unsafe { *errno = libc::EINVAL };
    -1
}

/// libc's `chdir`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn chdir(path: *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    let result = unsafe { super::passed::syscall(libc::SYS_chdir, [path as usize, 0, 0, 0, 0, 0]) };
    if result < 0 {
        return super::fd::fail(-result as c_int) as c_int;
    }
    if is_shared() {
        on_native(follow_directory);
    }
    0
}

/// libc's `fchdir`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fchdir(fd: c_int) -> c_int {
    if super::fd::refused(fd, "fchdir") {
        return super::fd::fail(libc::EBADF) as c_int;
    }
    // SAFETY: changes the directory to that of a descriptor.
    let result = unsafe { raw::syscall(libc::SYS_fchdir, [fd as usize, 0, 0, 0, 0, 0]) };
    if result < 0 {
        return super::fd::fail(-result as c_int) as c_int;
    }
    if is_shared() {
        on_native(follow_directory);
    }
    0
}

fn follow_directory() {
    if let Ok(directory) = std::env::current_dir() {
        change_environment(b"", Some(directory.as_os_str().as_bytes()));
    }
}
