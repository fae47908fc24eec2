//! Descriptors that hold a number: they name a file, and can be neither read nor written.

use std::io;

use libc::c_int;

use crate::raw;

/// Takes all free numbers from 3 to below `end`.
pub(super) fn fill_up_to(end: c_int) -> io::Result<()> {
    let first = open_filler()?;
    let filled = fill_with(first, end);
    // Where a standard stream is closed, the first went there; where nothing was free, it lies above.
    if first < 3 || first >= end { close(first).and(filled) } else { filled }
}

fn fill_with(first: c_int, end: c_int) -> io::Result<()> {
    let mut last = first;
    while last < end {
        last = dup_from(first, libc::F_DUPFD_CLOEXEC, last.max(2) + 1)?;
    }
    if last == first { Ok(()) } else { close(last) }
}

/// Puts a filler where `fd` is, below `end`. The number is never free meanwhile, unless descriptors have run out.
pub(super) fn replace(fd: c_int, end: c_int) -> io::Result<()> {
    let Ok(filler) = open_filler() else {
        // The number that is freed here is the one that the next filler gets, or another one below `end`.
        close(fd)?;
        return fill_up_to(end);
    };
    let args = [filler as usize, fd as usize, libc::O_CLOEXEC as usize, 0, 0, 0];
    // SAFETY: the caller has moved what `fd` was.
    let replaced = check(unsafe { raw::syscall(libc::SYS_dup3, args) }).map(drop);
    // Below `end` it fills another hole.
    if filler < 3 || filler >= end { close(filler).and(replaced) } else { replaced }
}

/// A descriptor that names a file and gives no access to it.
fn open_filler() -> io::Result<c_int> {
    let path = c"/dev/null".as_ptr() as usize;
    let flags = (libc::O_PATH | libc::O_CLOEXEC) as usize;
    // SAFETY: the path is a C string.
    check(unsafe { raw::syscall(libc::SYS_openat, [libc::AT_FDCWD as usize, path, flags, 0, 0, 0]) })
}

/// Duplicates `fd` to the first free number from `start`, by one of the two `F_DUPFD` commands.
pub(super) fn dup_from(fd: c_int, command: c_int, start: c_int) -> io::Result<c_int> {
    let args = [fd as usize, command as usize, start as usize, 0, 0, 0];
    // SAFETY: makes a descriptor, touches no memory.
    check(unsafe { raw::syscall(libc::SYS_fcntl, args) })
}

/// Whether `fd` is closed when another program is executed.
pub(super) fn is_close_on_exec(fd: c_int) -> bool {
    // SAFETY: touches no memory.
    let flags = unsafe { raw::syscall(libc::SYS_fcntl, [fd as usize, libc::F_GETFD as usize, 0, 0, 0, 0]) };
    flags >= 0 && flags as c_int & libc::FD_CLOEXEC != 0
}

/// Closes a descriptor that was made here, or that nobody else has seen.
pub(super) fn close(fd: c_int) -> io::Result<()> {
    // SAFETY: nobody uses the descriptor (this function's contract).
    check(unsafe { raw::syscall(libc::SYS_close, [fd as usize, 0, 0, 0, 0, 0]) }).map(drop)
}

/// A raw result as Rust says it.
pub(super) fn check(result: isize) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::from_raw_os_error(-result as i32)) } else { Ok(result as c_int) }
}
