//! A child's own view of global memory. Works in a signal handler: system calls only.
//!
//! *Invariants*: PAGE-1. *Who may touch what, when*: the only thread of the child. *Why not safe code*: mappings.
//!
//! *Why copies*: a private mapping of a file shows what others write to it later, until the child itself writes.
//! Anonymous memory does not.

use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering};
use std::io;

use dstd_addr::{Layout, PAGE_BYTES};

use super::{Region, Source};
use crate::{locals, page, raw};

pub(super) const OPEN: i32 = libc::PROT_READ | libc::PROT_WRITE;

/// A page that is zero in children: the byte is 1 here.
pub(super) fn marker() -> io::Result<&'static AtomicU32> {
    let len = PAGE_BYTES as usize;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a fresh mapping wherever the kernel likes.
    let at =
        unsafe { libc::mmap(core::ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let start = at as u64;
    advise(&(start..start + PAGE_BYTES), libc::MADV_WIPEONFORK)?;
    // SAFETY: mapped above, zero, and only ever used as this atomic.
    let marker = unsafe { &*at.cast::<AtomicU32>() };
    marker.store(1, Ordering::Relaxed);
    Ok(marker)
}

/// Advice that concerns forks only.
pub(super) fn advise(range: &Range<u64>, advice: i32) -> io::Result<()> {
    let args = [range.start as usize, (range.end - range.start) as usize, advice as usize, 0, 0, 0];
    // SAFETY: what memory holds here does not change.
    let result = unsafe { raw::syscall(libc::SYS_madvise, args) };
    if result < 0 { Err(io::Error::from_raw_os_error(-result as i32)) } else { Ok(()) }
}

/// Memory that a file takes.
pub(super) fn bytes_of(file: i32) -> u64 {
    // SAFETY: all-zero is a valid structure.
    let mut stat: libc::stat = unsafe { core::mem::zeroed() };
    // SAFETY: the structure is writable.
    unsafe { raw::syscall(libc::SYS_fstat, [file as usize, (&raw mut stat) as usize, 0, 0, 0, 0]) };
    stat.st_blocks as u64 * 512
}

/// Makes the view; the error number when it cannot be.
pub(super) fn make(regions: &[Region], layout: &Layout) -> Result<(), i32> {
    locals::each_own(layout, |range, file, offset| {
        map(range, OPEN)?;
        copy(range, file, offset, false)
    })?;
    for region in regions {
        match region.source {
            Source::File(file, offset) => {
                map(&region.range, OPEN)?;
                copy(&region.range, file, offset, false)?;
            }
            Source::Holes(file, offset) => {
                map(&region.range, libc::PROT_NONE)?;
                copy(&region.range, file, offset, true)?;
            }
            Source::Clone if region.foreign => protect(&region.range, libc::PROT_NONE)?,
            Source::Clone => {}
            Source::Parent => {
                map(&region.range, libc::PROT_NONE)?;
                page::moved::forget(&region.range);
            }
        }
        if !region.foreign {
            let mut result = Ok(());
            page::moved::away(&region.range, |away| {
                if result.is_ok() {
                    result = protect(&away, libc::PROT_NONE);
                }
            });
            result?;
        }
    }
    // The parent's memory shall not last as long as the child.
    let mut last = None;
    for file in regions.iter().filter_map(Region::file) {
        if last != Some(file) {
            super::close(file);
            last = Some(file);
        }
    }
    Ok(())
}

/// Puts private zeros at `range`, of which the clone has inherited nothing.
fn map(range: &Range<u64>, rights: i32) -> Result<(), i32> {
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
    let len = (range.end - range.start) as usize;
    let args = [range.start as usize, len, rights as usize, kind as usize, usize::MAX, 0];
    // SAFETY: nothing is there: the kernel has left this range out of the clone.
    check(unsafe { raw::syscall(libc::SYS_mmap, args) }).map(drop)
}

/// Changes the rights of pages.
pub(super) fn protect(range: &Range<u64>, rights: i32) -> Result<(), i32> {
    let args = [range.start as usize, (range.end - range.start) as usize, rights as usize, 0, 0, 0];
    // SAFETY: global memory, in a process of its own; a touch that fails is served.
    check(unsafe { raw::syscall(libc::SYS_mprotect, args) }).map(drop)
}

/// Copies what a part of a file holds; the rest is zero on both sides. What is copied `opens` before.
fn copy(range: &Range<u64>, file: i32, offset: u64, opens: bool) -> Result<(), i32> {
    let end = offset + (range.end - range.start);
    let mut at = offset;
    while at < end {
        let Some(data) = seek(file, at, libc::SEEK_DATA)?.filter(|&data| data < end) else { break };
        let hole = seek(file, data, libc::SEEK_HOLE)?.unwrap_or(end).min(end);
        at = data;
        if opens {
            protect(&(range.start + (data - offset)..range.start + (hole - offset)), OPEN)?;
        }
        while at < hole {
            let to = range.start + (at - offset);
            let args = [file as usize, to as usize, (hole - at) as usize, at as usize, 0, 0];
            // SAFETY: memory of this child that nobody else uses, and that was mapped for this.
            match check(unsafe { raw::syscall(libc::SYS_pread64, args) }) {
                Ok(0) => at = hole,
                Ok(done) => at += done as u64,
                Err(libc::EINTR) => {}
                // The kernel could not make pages of ours present.
                Err(libc::EFAULT) => return Err(libc::ENOMEM),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// The next data or hole, `None` behind the last data.
fn seek(file: i32, from: u64, what: i32) -> Result<Option<u64>, i32> {
    let args = [file as usize, from as usize, what as usize, 0, 0, 0];
    // SAFETY: touches no memory. The position is shared with the parent, where nobody uses it.
    match check(unsafe { raw::syscall(libc::SYS_lseek, args) }) {
        Ok(at) => Ok(Some(at as u64)),
        Err(libc::ENXIO) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A raw result as Rust says it.
pub(super) fn check(result: isize) -> Result<usize, i32> {
    usize::try_from(result).map_err(|_| -result as i32)
}
