//! libc's `poll` and `ppoll`: all descriptors of a call belong to one node, this one or another.

use core::ptr;

use libc::{c_int, nfds_t, pollfd, sigset_t, timespec};

use super::calls::{KERNEL_SIGSET_BYTES, call};
use super::elsewhere::{Call, call_owner, one_owner};
use super::foreign::is_foreign;

#[unsafe(no_mangle)]
unsafe extern "C" fn poll(fds: *mut pollfd, count: nfds_t, timeout_ms: c_int) -> c_int {
    // SAFETY: the caller passes `count` entries, or none.
    if unsafe { any_foreign(fds, count) } {
        let time = (timeout_ms >= 0).then(|| timespec {
            tv_sec: i64::from(timeout_ms / 1000),
            tv_nsec: i64::from(timeout_ms % 1000) * 1_000_000,
        });
        let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the caller keeps the rules of poll.
        return unsafe { poll_elsewhere("poll", fds, count, time) };
    }
    // SAFETY: the caller keeps the rules of poll.
    unsafe { call(libc::SYS_poll, [fds as usize, count as usize, timeout_ms as usize]) as c_int }
}

/// At another node `signals` stay as they are: a call there is not interrupted.
#[unsafe(no_mangle)]
unsafe extern "C" fn ppoll(
    fds: *mut pollfd,
    count: nfds_t,
    timeout: *const timespec,
    signals: *const sigset_t,
) -> c_int {
    // SAFETY: the caller passes `count` entries, or none.
    if unsafe { any_foreign(fds, count) } {
        // SAFETY: the caller keeps the rules of ppoll.
        return unsafe { poll_elsewhere("ppoll", fds, count, timeout) };
    }
    // SAFETY: null or valid, by the rules of ppoll. The kernel writes the rest of the time; libc's ppoll does not show it.
    let mut time = unsafe { timeout.as_ref() }.copied();
    let timeout = time.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    let args = [fds as usize, count as usize, timeout as usize, signals as usize, KERNEL_SIGSET_BYTES];
    // SAFETY: the caller keeps the rules of ppoll.
    unsafe { call(libc::SYS_ppoll, args) as c_int }
}

/// # Safety
/// - As `ppoll`.
#[cold]
unsafe fn poll_elsewhere(
    name: &'static str,
    fds: *mut pollfd,
    count: nfds_t,
    timeout: *const timespec,
) -> c_int {
    // SAFETY: the caller's promise.
    let owner = one_owner(unsafe { entries(fds, count) });
    let args = [fds as usize, count as usize, timeout as usize, 0, KERNEL_SIGSET_BYTES];
    // SAFETY: the caller's promise.
    unsafe { call_owner(name, Some(Call::Poll), owner, args) as c_int }
}

/// Whether one of the descriptors is another node's.
///
/// # Safety
/// - `fds` points to `count` entries, unless `count` is 0.
unsafe fn any_foreign(fds: *const pollfd, count: nfds_t) -> bool {
    // SAFETY: the caller's promise.
    unsafe { entries(fds, count) }.any(is_foreign)
}

/// The descriptors of a poll; entries without one are passed over.
///
/// # Safety
/// - `fds` points to `count` entries, unless `count` is 0, as long as the result is used.
unsafe fn entries(fds: *const pollfd, count: nfds_t) -> impl Iterator<Item = c_int> {
    // Before the system call has judged the pointer, nothing about it is known.
    let count = if fds.is_null() || !fds.is_aligned() { 0 } else { count };
    (0..count as usize)
        .map(move |index| {
            // SAFETY: below `count`.
            let entry = unsafe { fds.add(index) };
            // SAFETY: an entry of the caller's.
            unsafe { entry.read() }.fd
        })
        .filter(|&fd| fd >= 0)
}

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    poll as *const ()
}
