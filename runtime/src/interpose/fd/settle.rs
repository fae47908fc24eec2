//! New descriptors get numbers of this node's range, even where a filler is missing.
//!
//! Code that makes system calls itself, libc's own above all, can close a filler. The kernel then gives that number to the
//! next descriptor: on this node every call on it would be refused, and on its owner it would be another file's. So
//! what is made there moves into the range, and a filler takes the hole.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use libc::c_int;

use super::calls::fail;
use super::fillers;
use super::foreign::{is_own, own};
use crate::raw;

/// The result of a call that makes a descriptor, after the descriptor was moved into this node's range if it was
/// outside. When the range is full the call has failed with `EMFILE`.
#[inline]
pub(super) fn settled(result: isize) -> isize {
    if is_own(result as c_int) { result } else { settled_slow(result) }
}

#[cold]
#[inline(never)]
fn settled_slow(result: isize) -> isize {
    let fd = result as c_int;
    // A failure, or a standard stream that was closed.
    if fd < 3 {
        return result;
    }
    let Some(own) = own() else { return result };
    let (start, end) = (own.start as c_int, own.end as c_int);
    let command = if fillers::is_close_on_exec(fd) { libc::F_DUPFD_CLOEXEC } else { libc::F_DUPFD };
    let moved = fillers::dup_from(fd, command, start);
    // This drops record locks that the process holds on the same file; there is no way to move without a close.
    discard(fd, start);
    match moved {
        Ok(new) if new < end => new as isize,
        Ok(beyond) => {
            discard(beyond, start);
            fail(libc::EMFILE)
        }
        Err(_) => fail(libc::EMFILE),
    }
}

/// The result of a call that has made two descriptors and written them to `pair`, after both were moved into this node's
/// range if need be. When the range is full the call has failed with `EMFILE`, and both are closed.
///
/// # Safety
/// - Unless `result` is negative, the kernel has written `pair`.
#[inline]
pub(super) unsafe fn settled_pair(result: isize, pair: *mut c_int) -> isize {
    if result < 0 {
        return result;
    }
    let pair = pair.cast::<[c_int; 2]>();
    // SAFETY: the kernel has written two descriptors there.
    let made = unsafe { pair.read_unaligned() };
    if made.map(is_own) == [true; 2] {
        return result;
    }
    let Some(settled) = settled_pair_slow(made) else { return -1 };
    // SAFETY: as above.
    unsafe { pair.write_unaligned(settled) };
    result
}

/// `None` when it has failed, with `errno`.
#[cold]
#[inline(never)]
fn settled_pair_slow([first, second]: [c_int; 2]) -> Option<[c_int; 2]> {
    let start = own().map_or(0, |own| own.start as c_int);
    let first = settled(first as isize) as c_int;
    if first < 0 {
        discard(second, start);
        return None;
    }
    let second = settled(second as isize) as c_int;
    if second < 0 {
        discard(first, start);
        return None;
    }
    Some([first, second])
}

/// Takes over a descriptor that this process has inherited: it moves into this node's range, and is closed on exec.
///
/// # Errors
/// It is not open, or the range is full.
///
/// # Safety
/// - Nobody else uses the descriptor.
pub(crate) unsafe fn adopt(fd: c_int) -> io::Result<OwnedFd> {
    let args = [fd as usize, libc::F_SETFD as usize, libc::FD_CLOEXEC as usize, 0, 0, 0];
    // SAFETY: touches no memory.
    fillers::check(unsafe { raw::syscall(libc::SYS_fcntl, args) })?;
    let fd = settled(fd as isize) as c_int;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the caller leaves the descriptor to us; `settled` has moved it or left it in place.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Closes `fd`; below `start`, the start of this node's range, a filler takes its place.
fn discard(fd: c_int, start: c_int) {
    let done = if (3..start).contains(&fd) { fillers::replace(fd, start) } else { fillers::close(fd) };
    // For want of a descriptor the hole stays, until the next one that falls into it.
    drop(done);
}

/// Fills all holes, for a call whose descriptors cannot be moved afterwards.
pub(in crate::interpose) fn fill_holes() {
    if let Some(own) = own()
        && own.start > 3
    {
        // It fails for want of descriptors only, and then the call makes none, either.
        drop(fillers::fill_up_to(own.start as c_int));
    }
}
