//! libc's functions that fork by themselves: written with our `fork`, which they would pass by.
//!
//! *Why not safe code*: C signatures.

use core::ffi::{c_char, c_int};

use super::fork::fork;
use crate::stack::on_native;

/// libc's `daemon`. The parent, and with it the program on the other nodes, ends; the child is no node.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn daemon(keep_directory: c_int, keep_streams: c_int) -> c_int {
    // SAFETY: the caller's promise.
    match unsafe { fork() } {
        -1 => return -1,
        0 => {}
        _ => {
            // The other nodes shall know that this is no failure.
            super::exit::at_last();
            // SAFETY: ends the process at once, as the function is meant to.
            unsafe { libc::_exit(0) }
        }
    }
    // SAFETY: no memory is involved.
    if unsafe { libc::setsid() } < 0 {
        return -1;
    }
    if keep_directory == 0 {
        // The real one does not say, either, when this fails.
        // SAFETY: a C string.
        unsafe { libc::chdir(c"/".as_ptr()) };
    }
    if keep_streams == 0 { streams_to_null() } else { 0 }
}

fn streams_to_null() -> c_int {
    // SAFETY: a C string.
    let null = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
    if null < 0 {
        return -1;
    }
    for stream in 0..3 {
        // SAFETY: no memory is involved.
        if unsafe { libc::dup2(null, stream) } < 0 {
            return -1;
        }
    }
    if null > 2 {
        // SAFETY: opened above.
        unsafe { libc::close(null) };
    }
    0
}

/// libc's `forkpty`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn forkpty(
    master: *mut c_int,
    name: *mut c_char,
    settings: *const libc::termios,
    size: *const libc::winsize,
) -> c_int {
    // SAFETY: null or valid, by the rules of the function.
    let settings = unsafe { settings.as_ref() }.copied();
    // SAFETY: as above.
    let size = unsafe { size.as_ref() }.copied();
    let opened = on_native(|| {
        // The kernel reads these: copies in private memory.
        let (settings, size) = (settings, size);
        let (mut ours, mut theirs) = (-1, -1);
        super::fd::fill_holes();
        let settings = settings.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        let size = size.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        // SAFETY: locals, and a place for the name by the caller's promise.
        let failed = unsafe { libc::openpty(&raw mut ours, &raw mut theirs, name, settings, size) };
        if failed == 0 { Ok((ours, theirs)) } else { Err(super::last_error()) }
    });
    let (ours, theirs) = match opened {
        Ok(pair) => pair,
        Err(errno) => return super::fd::fail(errno) as c_int,
    };
    // SAFETY: the caller's promise.
    let child = unsafe { fork() };
    if child != 0 {
        // SAFETY: opened above.
        unsafe { libc::close(theirs) };
    }
    match child {
        -1 => {
            // SAFETY: opened above.
            unsafe { libc::close(ours) };
        }
        0 => {
            // SAFETY: opened above.
            unsafe { libc::close(ours) };
            // SAFETY: a terminal of this process.
            if unsafe { libc::login_tty(theirs) } != 0 {
                // SAFETY: ends the child, as the function is meant to.
                unsafe { libc::_exit(1) };
            }
        }
        // SAFETY: the caller passes a place for it.
        _ => unsafe { master.write(ours) },
    }
    child
}
