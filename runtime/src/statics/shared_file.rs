//! The shared statics on a file that all nodes of a host map.
//!
//! *Invariants*: ADDR-1. *Layout*: the file holds the initialised statics, then the zeroed ones.
//! *Who may touch what, when*: as in the parent module; once mapped, the hardware keeps the nodes
//! coherent. *Why not safe code*: the memory under existing variables is replaced.

use core::ops::Range;
use core::sync::atomic::{AtomicI32, Ordering};
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;

use dstd_addr::PAGE_BYTES;

/// The file, for children of `fork`.
static FILE: AtomicI32 = AtomicI32::new(-1);

/// Node 0: makes the file from the statics as they are and maps it in their place.
///
/// # Errors
/// What the kernel says.
///
/// # Safety
/// - No other thread exists, and no reference to a shared static is alive.
pub(crate) unsafe fn share(ranges: &[Range<u64>; 2]) -> io::Result<RawFd> {
    let file = new_file(ranges)?;
    for (range, offset) in with_offsets(ranges) {
        for at in (0..range.end - range.start).step_by(PAGE_BYTES as usize) {
            let page = (range.start + at) as *const u8;
            // SAFETY: whole pages of this program's statics, which nobody writes now.
            let bytes = unsafe { core::slice::from_raw_parts(page, PAGE_BYTES as usize) };
            if bytes.iter().any(|&byte| byte != 0) {
                file.write_all_at(bytes, offset + at)?;
            }
        }
    }
    let fd = file.into_raw_fd();
    // SAFETY: the caller's promise; the file holds what the pages hold.
    unsafe { map(ranges, fd) }?;
    Ok(fd)
}

/// Another node, when pages come by signals: an empty file in the place of its statics, for the page engine
/// to fill.
///
/// # Errors
/// What the kernel says.
///
/// # Safety
/// - As [`share`]; and nothing reads a shared static before the page engine serves it.
pub(crate) unsafe fn replace_by_holes(ranges: &[Range<u64>; 2]) -> io::Result<RawFd> {
    let fd = new_file(ranges)?.into_raw_fd();
    // SAFETY: the caller's promise.
    unsafe { map(ranges, fd) }?;
    Ok(fd)
}

fn new_file(ranges: &[Range<u64>; 2]) -> io::Result<File> {
    // SAFETY: makes a descriptor; the name is a C string.
    let fd = unsafe { libc::memfd_create(c"dstd-statics".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor, nobody else owns it.
    let file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    file.set_len(ranges.iter().map(|range| range.end - range.start).sum())?;
    Ok(file)
}

/// Maps node 0's file in the place of this node's statics. The file stays open.
///
/// # Errors
/// What the kernel says.
///
/// # Safety
/// - No other thread uses a shared static, and no reference to one is alive.
pub(crate) unsafe fn map(ranges: &[Range<u64>; 2], fd: RawFd) -> io::Result<()> {
    FILE.store(fd, Ordering::Relaxed);
    // SAFETY: the caller's promise.
    unsafe { map_as(ranges, fd, libc::MAP_SHARED) }
}

/// The file, if there is one.
pub(crate) fn file() -> Option<RawFd> {
    let file = FILE.load(Ordering::Relaxed);
    (file >= 0).then_some(file)
}

/// # Safety
/// - Nobody relies on what is mapped at `ranges`.
unsafe fn map_as(ranges: &[Range<u64>; 2], fd: RawFd, kind: i32) -> io::Result<()> {
    for (range, offset) in with_offsets(ranges) {
        let (at, len) = (range.start as *mut libc::c_void, (range.end - range.start) as usize);
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the caller gives up what is mapped there.
        let mapped = unsafe { libc::mmap(at, len, protection, kind | libc::MAP_FIXED, fd, offset as i64) };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Where in the file the ranges that are not empty lie.
pub(crate) fn with_offsets(ranges: &[Range<u64>; 2]) -> impl Iterator<Item = (&Range<u64>, u64)> {
    let mut offset = 0;
    ranges.iter().filter(|range| !range.is_empty()).map(move |range| {
        let at = offset;
        offset += range.end - range.start;
        (range, at)
    })
}
