//! The program's global allocator.
//!
//! *Invariants*: HEAP-2, HEAP-3, ISO-2. *Layout*, *who may touch what*: see `route`.
//! *Why not safe code*: `GlobalAlloc` is an unsafe trait.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr;

use super::route;

#[global_allocator]
static GLOBAL: DstdAlloc = DstdAlloc;

/// Serves user threads from the partition and runtime code from the private heap.
struct DstdAlloc;

// SAFETY: blocks are live until freed, do not overlap (HEAP-3), have the size and alignment that
// was asked for, and no method unwinds.
unsafe impl GlobalAlloc for DstdAlloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        route::alloc(layout.size(), layout.align())
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        route::alloc_zeroed(layout.size(), layout.align())
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the contract of `GlobalAlloc` is that of `free`.
        unsafe { route::free(block, layout.size(), layout.align()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the contract of `GlobalAlloc` is that of `resize`.
        if unsafe { route::resize(block, layout.size(), layout.align(), new_size) } {
            return block;
        }
        let new = route::alloc(new_size, layout.align());
        if !new.is_null() {
            // SAFETY: both blocks have at least that many bytes and do not overlap; no lock is held, so
            // a block of another node may fault.
            unsafe { ptr::copy_nonoverlapping(block, new, layout.size().min(new_size)) };
            // SAFETY: the block's contents have moved, and the caller uses only the new one.
            unsafe { route::free(block, layout.size(), layout.align()) };
        }
        new
    }
}
