//! Memory for the calls that come before libc has an environment: 1 MiB, never given back.
//!
//! *Invariants*: HEAP-3: the next free offset only grows.
//!
//! *Layout*: one static array; `NEXT` is the offset of its free rest.
//!
//! *Who may touch what, when*: `NEXT` anybody, atomically; a block whoever got it.
//!
//! *Why not safe code*: it hands out memory.

use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

const BYTES: usize = 1 << 20;

#[repr(align(4096))]
struct Area(UnsafeCell<[u8; BYTES]>);

// SAFETY: the bytes are reached only through the disjoint blocks that `alloc` hands out.
unsafe impl Sync for Area {}

static AREA: Area = Area(UnsafeCell::new([0; BYTES]));
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// `size` zeroed bytes at `align` (a power of two up to 4096), or null.
pub(super) fn alloc(size: usize, align: usize) -> *mut u8 {
    let place = |next: usize| next.checked_next_multiple_of(align);
    let taken = NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
        place(next)?.checked_add(size).filter(|end| *end <= BYTES)
    });
    match taken.ok().and_then(place) {
        // SAFETY: the offset and `size` bytes after it are inside the area.
        Some(offset) if align <= 4096 => unsafe { AREA.0.get().cast::<u8>().add(offset) },
        _ => ptr::null_mut(),
    }
}

/// Whether `addr` came from here.
pub(super) fn contains(addr: usize) -> bool {
    addr.wrapping_sub(AREA.0.get().addr()) < BYTES
}
