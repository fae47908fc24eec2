//! A child's closed pages: they open at the first touch.
//!
//! *Invariants*: ADDR-1. *Who may touch what, when*: one thread of the child at a time changes mappings ([`LOCK`]),
//! all signals blocked. *Why not safe code*: mappings, and messages that carry descriptors.

use core::cell::Cell;
use core::mem::MaybeUninit;
use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering};

use dstd_addr::{Kind, PAGE_BYTES};

use super::view::{OPEN, check, protect};
use super::{SETUP, Source, end_child, service};
use crate::{page, raw};

static LOCK: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The page at which the last fault of this thread found nothing to do.
    static LAST: Cell<u64> = const { Cell::new(0) };
}

/// Opens the page at `address`; false when it is not closed, so that the touch is an error.
pub(super) fn open(address: u64) -> bool {
    let page = address & !(PAGE_BYTES - 1);
    let Some(setup) = SETUP.get() else { return false };
    let Some(region) = setup.regions.iter().find(|region| region.range.contains(&page)) else { return false };
    if matches!(setup.layout.kind(page), Kind::Native(_) | Kind::Unused) {
        // A guard page, or memory that is private to another node.
        return false;
    }
    if !setup.served {
        let closed = matches!(region.source, Source::Holes(..));
        if closed {
            give(&(page..page + PAGE_BYTES));
        }
        return closed;
    }
    let foreign = region.foreign;
    lock();
    let here = page::moved::is_here(page);
    if !here {
        fetch(page);
        page::moved::note(page, PAGE_BYTES, true);
    } else if foreign {
        give(&(page..page + PAGE_BYTES));
    }
    unlock();
    if here && !foreign {
        // Another thread may have opened it a moment ago; a second fault here is one.
        return LAST.replace(page) != page;
    }
    true
}

/// Opens pages whose bytes the caller is about to write.
pub(crate) fn open_own(range: &Range<u64>) {
    give(range);
    page::moved::note(range.start, range.end - range.start, true);
}

fn give(range: &Range<u64>) {
    if let Err(error) = protect(range, OPEN) {
        end_child(too_many(error));
    }
}

fn too_many(error: i32) -> &'static str {
    if error == libc::ENOMEM {
        "it needs more memory, or more memory mappings, than this system allows (vm.max_map_count)"
    } else {
        "the kernel does not give it a page"
    }
}

/// Brings a page from the parent's node to its place.
fn fetch(page: u64) {
    let mut bytes = MaybeUninit::<[u8; PAGE_BYTES as usize]>::uninit();
    if service::ask(page, &mut bytes).is_err() {
        end_child("it needs memory of its parent's node, which has ended or cannot be asked any more");
    }
    let (len, kind) = (PAGE_BYTES as usize, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let args = [0, len, OPEN as usize, kind as usize, usize::MAX, 0];
    // SAFETY: a fresh mapping wherever the kernel likes.
    let fresh = check(unsafe { raw::syscall(libc::SYS_mmap, args) })
        .unwrap_or_else(|error| end_child(too_many(error)));
    // SAFETY: just mapped, one page; the answer has filled `bytes`.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr().cast::<u8>(), fresh as *mut u8, len) };
    let how = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as usize;
    // SAFETY: replaces a page without rights, which holds nothing: threads that touch it wait for this.
    let moved = unsafe { raw::syscall(libc::SYS_mremap, [fresh, len, len, how, page as usize, 0]) };
    if let Err(error) = check(moved) {
        end_child(too_many(error));
    }
}

fn lock() {
    while LOCK.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
        raw::futex_wait(&LOCK, 1, Some(&libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 }));
    }
}

fn unlock() {
    LOCK.store(0, Ordering::Release);
    raw::futex_wake(&LOCK, 1);
}

/// In a child's child: its parent's other threads are not there.
pub(super) fn reset() {
    LOCK.store(0, Ordering::Relaxed);
}
