//! Puts memory that the page engine can serve under the shared statics.

use core::ops::Range;
use core::ptr;
use std::io;

use dstd_addr::{NodeId, PAGE_BYTES};

const PAGE: usize = PAGE_BYTES as usize;

/// Sees to it that `ranges` (from [`super::ranges`]) are anonymous memory: on node 0 with their contents,
/// elsewhere empty, for the page engine to fill from node 0.
///
/// Initialised statics come from the program's file, where userfaultfd cannot watch them. Zeroed
/// statics are anonymous from the start, so node 0 leaves them alone: large ones cost nothing.
///
/// # Errors
/// The kernel refused a mapping. The statics are then unusable: the program must stop.
///
/// # Safety
/// - No other thread exists, and no reference to a shared static is alive.
/// - On nodes other than 0 nothing reads a shared static until the page engine serves `ranges`.
pub(crate) unsafe fn take_over(me: NodeId, ranges: &[Range<u64>; 2]) -> io::Result<()> {
    let [data, bss] = ranges.each_ref().map(|range| {
        (ptr::with_exposed_provenance_mut::<u8>(range.start as usize), (range.end - range.start) as usize)
    });
    if me == NodeId::ZERO {
        // SAFETY: whole pages of this program's writable data (`ranges`), which nobody uses now.
        return unsafe { replace_keeping(data.0, data.1) };
    }
    for (start, len) in [data, bss].into_iter().filter(|&(_, len)| len != 0) {
        // SAFETY: as above; the contents are node 0's to give.
        unsafe { map_fresh(start, len) }?;
    }
    Ok(())
}

/// Replaces pages by anonymous ones with the same contents.
///
/// # Safety
/// - `[start, start + len)` is whole pages, mapped and writable, that nobody else uses meanwhile.
unsafe fn replace_keeping(start: *mut u8, len: usize) -> io::Result<()> {
    if len == 0 {
        return Ok(());
    }
    // SAFETY: without an address the kernel chooses one that is free.
    let copy = unsafe { map_fresh(ptr::null_mut(), len) }?;
    // SAFETY: both are `len` bytes, mapped, and the copy is new memory.
    unsafe { copy_pages(start, copy, len) };
    // SAFETY: the caller vouches that nobody uses the range; its contents are in the copy.
    unsafe { map_fresh(start, len) }?;
    // SAFETY: as above, in the other direction.
    unsafe { copy_pages(copy, start, len) };
    // SAFETY: the copy was mapped above with this length and is not used again.
    if unsafe { libc::munmap(copy.cast(), len) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Maps `len` bytes of zeroes at `at`, or anywhere when `at` is null.
///
/// # Safety
/// - When `at` is not null: nobody needs what is mapped at `[at, at + len)`.
unsafe fn map_fresh(at: *mut u8, len: usize) -> io::Result<*mut u8> {
    let fixed = if at.is_null() { 0 } else { libc::MAP_FIXED };
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | fixed;
    // SAFETY: an anonymous mapping; the caller vouches for what it replaces.
    let mapped = unsafe { libc::mmap(at.cast(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(mapped.cast()) }
}

/// Copies the pages that hold anything but zeroes, so that large zeroed statics take no memory.
///
/// # Safety
/// - `from` and `to` are whole, distinct, mapped pages of `len` bytes; `to` is writable and all zeroes.
unsafe fn copy_pages(from: *const u8, to: *mut u8, len: usize) {
    for offset in (0..len).step_by(PAGE) {
        // SAFETY: `offset` is below `len`.
        let page = unsafe { from.add(offset) };
        // SAFETY: a mapped page of plain bytes that nobody writes now.
        let bytes = unsafe { core::slice::from_raw_parts(page, PAGE) };
        if bytes.iter().all(|&byte| byte == 0) {
            continue;
        }
        // SAFETY: `offset` is below `len`.
        let place = unsafe { to.add(offset) };
        // SAFETY: the pages are mapped and distinct.
        unsafe { ptr::copy_nonoverlapping(page, place, PAGE) };
    }
}
