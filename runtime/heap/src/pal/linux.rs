//! Mapping memory on Linux.
//!
//! *Invariants*: HEAP-1: a mapping is made only where nothing is mapped (`MAP_FIXED_NOREPLACE`), so
//! it cannot take memory from anybody; that is what makes these functions safe to call.
//!
//! *Layout*, *who may touch what*: none here; ranges are the callers'.
//!
//! *Why not safe code*: these are system calls on addresses.

use core::ops::Range;
use core::ptr::{self, NonNull};
use std::os::fd::RawFd;

use crate::error::MapError;

/// What a mapping allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Nothing: the range is only kept free of other mappings.
    Nothing,
    /// Reading and writing.
    ReadWrite,
}

impl Access {
    fn bits(self) -> i32 {
        match self {
            Access::Nothing => libc::PROT_NONE,
            Access::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
        }
    }
}

/// Maps private zero pages at exactly `range`.
pub(crate) fn anonymous(range: &Range<u64>, access: Access) -> Result<NonNull<u8>, MapError> {
    map(range, access, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)
}

/// Maps the shared file `fd` from its start at exactly `range`.
pub(crate) fn file(range: &Range<u64>, fd: RawFd) -> Result<NonNull<u8>, MapError> {
    map(range, Access::ReadWrite, libc::MAP_SHARED, fd)
}

/// Makes an unnamed memory file of `bytes` bytes that is closed at `exec`.
pub(crate) fn memfd(bytes: u64) -> Result<RawFd, MapError> {
    // SAFETY: the name is a C string; no memory is passed otherwise.
    let fd = unsafe { libc::memfd_create(c"dstd-heap".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(MapError::Memfd { errno: errno() });
    }
    // SAFETY: no memory is passed; `fd` was just opened.
    if unsafe { libc::ftruncate(fd, bytes as libc::off_t) } != 0 {
        return Err(MapError::Memfd { errno: errno() });
    }
    Ok(fd)
}

/// Replaces the mapping of `range` by the file `fd`, shared with all others that map it.
///
/// # Safety
/// - `range` is the caller's, and nothing in it is in use.
pub(crate) unsafe fn shared_view(range: &Range<u64>, fd: RawFd) -> Result<(), MapError> {
    // SAFETY: the caller's promise.
    unsafe { replace(range, fd, 0, libc::MAP_SHARED, Access::ReadWrite) }
}

/// Replaces the mapping of `range` by the shared file `fd` from `offset` on, inaccessible at first.
///
/// # Safety
/// - As [`shared_view`].
pub(crate) unsafe fn hidden_view(range: &Range<u64>, fd: RawFd, offset: u64) -> Result<(), MapError> {
    // SAFETY: the caller's promise.
    unsafe { replace(range, fd, offset, libc::MAP_SHARED, Access::Nothing) }
}

/// Puts the file `fd`, from `offset` on, in the place of what is mapped at `range`.
///
/// # Safety
/// - `range` is the caller's, and nobody relies on what is mapped there.
unsafe fn replace(
    range: &Range<u64>,
    fd: RawFd,
    offset: u64,
    kind: i32,
    access: Access,
) -> Result<(), MapError> {
    let flags = kind | libc::MAP_NORESERVE | libc::MAP_FIXED;
    let at = ptr::without_provenance_mut(range.start as usize);
    let len = (range.end - range.start) as usize;
    // SAFETY: replaces what the caller gives up (this function's contract).
    let got = unsafe { libc::mmap(at, len, access.bits(), flags, fd, offset as libc::off_t) };
    if got == libc::MAP_FAILED { Err(map_error(range)) } else { Ok(()) }
}

/// Leaves a range we mapped out of core dumps.
pub(crate) fn keep_out_of_dumps(range: &Range<u64>) -> Result<(), MapError> {
    advise(range, libc::MADV_DONTDUMP)
}

/// Leaves a range we mapped out of the children of `fork`: a touch there is a fault, not a zero.
pub(crate) fn keep_out_of_forks(range: &Range<u64>) -> Result<(), MapError> {
    advise(range, libc::MADV_DONTFORK)
}

/// Keeps the kernel from filling a range we mapped with huge pages.
pub(crate) fn no_huge_pages(range: &Range<u64>) -> Result<(), MapError> {
    match advise(range, libc::MADV_NOHUGEPAGE) {
        // A kernel without huge pages does not know the advice, and needs none.
        Err(MapError::Map { errno: libc::EINVAL, .. }) => Ok(()),
        other => other,
    }
}

/// Ends the process with one line on stderr; allocates nothing.
pub(crate) fn stop(why: &str) -> ! {
    for part in ["dstd: ", why, "\n"] {
        // SAFETY: the bytes are readable for their length.
        let written = unsafe { libc::write(libc::STDERR_FILENO, part.as_ptr().cast(), part.len()) };
        if written < 0 {
            break;
        }
    }
    std::process::abort()
}

/// The advice that is passed here (dump, fork, huge pages) never changes what memory holds.
fn advise(range: &Range<u64>, advice: i32) -> Result<(), MapError> {
    let at = ptr::without_provenance_mut(range.start as usize);
    let len = (range.end - range.start) as usize;
    // SAFETY: the advice leaves the contents alone, see above.
    if unsafe { libc::madvise(at, len, advice) } != 0 { Err(map_error(range)) } else { Ok(()) }
}

fn map(range: &Range<u64>, access: Access, kind: i32, fd: RawFd) -> Result<NonNull<u8>, MapError> {
    let flags = kind | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
    let at = ptr::without_provenance_mut(range.start as usize);
    let len = (range.end - range.start) as usize;
    // SAFETY: MAP_FIXED_NOREPLACE never replaces a mapping, so no memory in use changes.
    let got = unsafe { libc::mmap(at, len, access.bits(), flags, fd, 0) };
    if got == libc::MAP_FAILED {
        return Err(map_error(range));
    }
    // A kernel before 4.17 takes the address as a wish.
    match NonNull::new(got.cast::<u8>()) {
        Some(base) if base.addr().get() as u64 == range.start => Ok(base),
        _ => {
            // SAFETY: unmaps what the call above has just mapped and nobody knows.
            let undone = unsafe { libc::munmap(got, len) };
            debug_assert_eq!(undone, 0);
            Err(MapError::Taken { range: range.clone() })
        }
    }
}

fn map_error(range: &Range<u64>) -> MapError {
    let range = range.clone();
    match errno() {
        libc::EEXIST => MapError::Taken { range },
        libc::ENOMEM => MapError::NoMemory { range },
        errno => MapError::Map { range, errno },
    }
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
