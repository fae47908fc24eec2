//! The metadata of a heap: a bump arena over a range of its own.
//!
//! *Invariants*: HEAP-1, ISO-2. Memory of an arena is never given back, so an index stays good
//! for as long as the arena, and a stale reader of a recycled block reads an old value, not
//! unmapped memory.
//!
//! *Layout*:
//! ```text
//! | block 0 .. (Inner, the heap itself) | tables | nodes, thread caches, in order of need ... | free |
//!   1 KiB a block                                                                        ^ next
//! ```
//!
//! *Who may touch what, when*: `next` anybody, atomically. A block belongs to whoever took it.
//! The first word of a block that holds a node or a cache is its link and stays an atomic.
//!
//! *Why not safe code*: this is the memory below the allocator; there is nothing to borrow from.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// The granule of an arena.
pub(crate) const BLOCK_BYTES: usize = 1024;

/// Types whose all-zero bytes are a value and that need no more alignment than a block.
///
/// # Safety
/// - All-zero bytes must be a valid value.
/// - The type must be shareable between threads.
pub(crate) unsafe trait Zeroed: Sync + 'static {}

// SAFETY: zero is a value of an atomic integer, and atomics are shareable.
unsafe impl Zeroed for AtomicU16 {}
// SAFETY: as above.
unsafe impl Zeroed for AtomicU32 {}
// SAFETY: as above.
unsafe impl Zeroed for AtomicU64 {}

/// A bump allocator over zeroed memory.
pub(crate) struct Arena {
    base: NonNull<u8>,
    blocks: u32,
    next: AtomicU32,
}

// SAFETY: `base` is only an address to derive from; blocks are handed out once each.
unsafe impl Send for Arena {}
// SAFETY: as above; `next` is atomic.
unsafe impl Sync for Arena {}

impl Arena {
    /// An arena over `memory` whose first `taken` bytes are in use.
    ///
    /// # Safety
    /// - `memory` must be zeroed, readable and writable, and stay so for the rest of the process,
    ///   or for as long as anything made from this arena is used.
    /// - Nobody else may use it.
    /// - It must be aligned to [`BLOCK_BYTES`].
    pub(crate) unsafe fn new(memory: NonNull<[u8]>, taken: usize) -> Arena {
        debug_assert!(memory.cast::<u8>().addr().get().is_multiple_of(BLOCK_BYTES));
        let blocks = u32::try_from(memory.len() / BLOCK_BYTES).unwrap_or(u32::MAX);
        let first = u32::try_from(taken.div_ceil(BLOCK_BYTES)).unwrap_or(u32::MAX);
        Arena { base: memory.cast(), blocks, next: AtomicU32::new(first.max(1)) }
    }

    /// Takes `bytes` of zeroed memory; the index of its first block, never 0.
    pub(crate) fn take(&self, bytes: usize) -> Option<u32> {
        let wanted = u32::try_from(bytes.div_ceil(BLOCK_BYTES)).ok()?;
        self.next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
                next.checked_add(wanted).filter(|end| *end <= self.blocks)
            })
            .ok()
    }

    /// Takes a table of `len` zeroed entries.
    pub(crate) fn table<T: Zeroed>(&self, len: usize) -> Option<&'static [T]> {
        let index = self.take(len.checked_mul(size_of::<T>())?)?;
        let first = self.block(index).cast::<T>();
        // SAFETY: the blocks were just taken for this table, hold zeroes (valid for T: Zeroed), are
        // aligned to BLOCK_BYTES, and live as long as the arena's users (contract of `new`).
        Some(unsafe { core::slice::from_raw_parts(first.as_ptr(), len) })
    }

    /// The address of block `index`.
    ///
    /// # Panics
    /// When the arena has no such block.
    #[inline]
    pub(crate) fn block(&self, index: u32) -> NonNull<u8> {
        assert!(index < self.blocks, "HEAP-3: metadata index out of range");
        // SAFETY: the index is below the number of blocks, so the offset is inside the range.
        unsafe { self.base.add(index as usize * BLOCK_BYTES) }
    }

    /// The link word at the start of block `index`.
    pub(crate) fn link(&self, index: u32) -> &AtomicU32 {
        // SAFETY: inside the arena (checked by `block`), aligned, and blocks that are linked keep an
        // `AtomicU32` as their first word for ever.
        unsafe { self.block(index).cast::<AtomicU32>().as_ref() }
    }
}
