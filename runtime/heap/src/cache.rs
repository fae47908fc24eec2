//! The part of a heap that belongs to one thread, and its fast path.
//!
//! *Invariants*: HEAP-3: an address is in one cache, one node or one owner's hands.
//!
//! *Layout*: arena blocks.
//! ```text
//! | link u32 | unused | range, heap | remote set | index | 40 heads (32 bytes) | 40 x (0, 252 addresses) |
//!                     ^ 64: the ThreadCache
//! ```
//! A class that is not used costs no page: its addresses are never touched. The zero below its oldest address is
//! never written: whoever meets it has no address left, so that taking one needs no other look.
//!
//! *Who may touch what, when*: the link the stack of spare caches; the rest only the thread that
//! owns the cache, through `&mut`. A thread that lost a race for a spare cache may read its link while another one
//! owns it already, so the link is not in what that one borrows.
//!
//! *Why not safe code*: it lies in the arena and is reached by a pointer in thread-local memory.

use core::num::NonZero;
use core::ptr::NonNull;

use crate::arena::Arena;
use crate::class::{CLASSES, Class};
use crate::heap::{Inner, Place};
use crate::node::BATCH_ADDRS;
use crate::remote::RemoteSet;

/// Addresses a class can have in a cache: two batches.
const SLOTS: usize = 2 * BATCH_ADDRS;
/// The slots of a class, with the zero below them.
const STRIDE: usize = SLOTS + 1;
/// Bytes a class may keep in a cache, but at least `SLOTS_MIN` blocks.
const BYTES_MAX: usize = 512 << 10;
const SLOTS_MIN: usize = 8;
/// Where a cache begins in its first block: behind the link, on a line of its own.
const OFFSET: usize = 64;

/// One thread's share of a [`crate::Heap`].
#[repr(C)]
pub struct ThreadCache {
    /// The range of the heap, here because the fast path needs it.
    base: NonNull<u8>,
    len: u64,
    pub(crate) heap: &'static Inner,
    /// What is to be freed elsewhere; also reached by whoever sends what lies there too long.
    pub(crate) remote: &'static RemoteSet,
    /// Of its first block.
    index: u32,
    pub(crate) heads: [Head; CLASSES],
    slots: [u64; STRIDE * CLASSES],
}

/// What a cache knows of one class.
pub(crate) struct Head {
    /// The slot of the newest address, or of the zero.
    top: u32,
    /// The slot that the newest address may be in.
    limit: u32,
    /// Bytes of a block.
    pub(crate) size: u32,
    /// Whether the bump range was never used before.
    pub(crate) fresh: bool,
    /// The rest of a span: next block, and where it ends.
    pub(crate) bump: u64,
    pub(crate) end: u64,
}

impl ThreadCache {
    /// `size` bytes at `align` (a power of two), or null when the heap is used up.
    pub fn alloc(&mut self, size: usize, align: usize) -> *mut u8 {
        match Class::of(size, align) {
            Some(class) => match self.take(class) {
                Some((addr, _)) => self.pointer(addr),
                None => core::ptr::null_mut(),
            },
            None => self.alloc_run_slow(size, align).0,
        }
    }

    /// As [`ThreadCache::alloc`], but null as well when it would take more than a few instructions.
    #[inline(always)]
    pub fn alloc_cached(&mut self, size: usize, align: usize) -> *mut u8 {
        let Some(class) = Class::of_common(size, align) else { return core::ptr::null_mut() };
        let head = &mut self.heads[class.index()];
        let Some(addr) = self.slots.get(head.top as usize).copied() else { return core::ptr::null_mut() };
        if addr != 0 {
            head.top -= 1;
        }
        self.pointer(addr)
    }

    /// As [`ThreadCache::alloc`], and the bytes are zero.
    pub fn alloc_zeroed(&mut self, size: usize, align: usize) -> *mut u8 {
        let (memory, dirty) = match Class::of(size, align) {
            Some(class) => match self.take(class) {
                Some((addr, fresh)) => (self.pointer(addr), if fresh { 0 } else { size }),
                None => (core::ptr::null_mut(), 0),
            },
            None => self.alloc_run_slow(size, align),
        };
        if !memory.is_null() {
            // SAFETY: the block has at least `size` bytes, `dirty` is at most that, and nobody else
            // knows the block yet. No lock is held (ISO-2).
            unsafe { memory.write_bytes(0, dirty.min(size)) };
        }
        memory
    }

    /// Frees a block by its size and alignment.
    ///
    /// # Safety
    /// - `block` must have been allocated from this heap with this size and alignment (or resized
    ///   to it in place) and must not be used any more.
    pub unsafe fn free(&mut self, block: *mut u8, size: usize, align: usize) {
        let addr = block.addr() as u64;
        debug_assert!(self.heap.contains(addr), "HEAP-2: freed at a node that is not its home");
        match Class::of(size, align) {
            Some(class) => self.give(class, addr),
            None => self.free_run_slow(addr),
        }
    }

    /// As [`ThreadCache::free`], if that takes only a few instructions; whether it did.
    ///
    /// # Safety
    /// - As for [`ThreadCache::free`]. After `false` the block is still live.
    #[inline(always)]
    pub unsafe fn free_cached(&mut self, block: *mut u8, size: usize, align: usize) -> bool {
        let addr = block.addr() as u64;
        debug_assert!(self.heap.contains(addr), "HEAP-2: freed at a node that is not its home");
        let Some(class) = Class::of_common(size, align) else { return false };
        let head = &mut self.heads[class.index()];
        let above = head.top + 1;
        if head.top == head.limit {
            return false;
        }
        let Some(slot) = self.slots.get_mut(above as usize) else { return false };
        *slot = addr;
        head.top = above;
        true
    }

    /// Frees a block by its address alone.
    ///
    /// # Safety
    /// - `addr` must be the start of a live block of this heap that is not used any more.
    pub unsafe fn free_addr(&mut self, addr: u64) {
        debug_assert!(self.heap.contains(addr), "HEAP-2: freed at a node that is not its home");
        match self.heap.place(addr) {
            Place::Span(class, _) => self.give(class, addr),
            Place::Page(_) => self.free_run_slow(addr),
        }
    }

    /// Changes a block's size without moving it, when its place allows; whether it did.
    ///
    /// # Safety
    /// - `block` must be a live block of this heap with this size and alignment.
    pub unsafe fn resize(&mut self, block: *mut u8, size: usize, align: usize, new_size: usize) -> bool {
        match (Class::of(size, align), Class::of(new_size, align)) {
            (Some(old), Some(new)) => old == new,
            (None, None) => self.resize_run_slow(block.addr() as u64, new_size),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// Whether `addr` is in the range of this cache's heap.
    #[inline(always)]
    pub fn contains(&self, addr: u64) -> bool {
        addr.wrapping_sub(self.base.addr().get() as u64) < self.len
    }

    /// How many bytes the live block at `addr` has, or `None` when none begins there.
    pub fn usable_bytes(&self, addr: u64) -> Option<usize> {
        if !self.heap.contains(addr) {
            return None;
        }
        match self.heap.place(addr) {
            Place::Span(class, start) => {
                (addr - start).is_multiple_of(class.size() as u64).then(|| class.size())
            }
            Place::Page(page) if addr == self.heap.page_addr(page) => {
                self.heap.runs.live_len(page).map(|pages| (pages as usize) << dstd_addr::PAGE_SHIFT)
            }
            Place::Page(_) => None,
        }
    }

    /// The memory at `addr`, which must be in the range; null for 0.
    #[inline(always)]
    pub(crate) fn pointer(&self, addr: u64) -> *mut u8 {
        debug_assert!(addr == 0 || self.contains(addr), "HEAP-3: block outside the range");
        match NonZero::new(addr as usize) {
            Some(addr) => self.base.with_addr(addr).as_ptr(),
            None => core::ptr::null_mut(),
        }
    }

    /// A block of `class`, and whether it was never used before.
    fn take(&mut self, class: Class) -> Option<(u64, bool)> {
        self.take_cached(class).or_else(|| self.refill_slow(class))
    }

    #[inline]
    pub(crate) fn take_cached(&mut self, class: Class) -> Option<(u64, bool)> {
        let head = &mut self.heads[class.index()];
        let addr = self.slots[head.top as usize];
        if addr != 0 {
            head.top -= 1;
            return Some((addr, false));
        }
        if head.bump != head.end {
            let addr = head.bump;
            head.bump += u64::from(head.size);
            return Some((addr, head.fresh));
        }
        None
    }

    /// Keeps a free block of `class`.
    #[inline]
    pub(crate) fn give(&mut self, class: Class, addr: u64) {
        if self.heads[class.index()].top == self.heads[class.index()].limit {
            self.flush_slow(class);
        }
        let head = &mut self.heads[class.index()];
        head.top += 1;
        self.slots[head.top as usize] = addr;
    }

    /// How many free addresses of `class` are in the slots.
    pub(crate) fn kept(&self, class: Class) -> usize {
        self.heads[class.index()].top as usize - zero_of(class)
    }

    /// The free addresses of `class` in the slots, the oldest first.
    pub(crate) fn kept_slots(&mut self, class: Class) -> &mut [u64] {
        &mut self.slots[zero_of(class) + 1..=self.heads[class.index()].top as usize]
    }

    /// The slots of `class` that are empty; [`ThreadCache::filled`] says how many are so no longer.
    pub(crate) fn empty_slots(&mut self, class: Class) -> &mut [u64] {
        &mut self.slots[self.heads[class.index()].top as usize + 1..zero_of(class) + STRIDE]
    }

    /// The first `count` of the empty slots of `class` hold addresses now.
    pub(crate) fn filled(&mut self, class: Class, count: usize) {
        self.heads[class.index()].top += count as u32;
        debug_assert!(self.kept(class) <= SLOTS);
    }

    /// Drops the `count` oldest addresses of `class`, which are elsewhere by now.
    pub(crate) fn drop_oldest(&mut self, class: Class, count: usize) {
        self.kept_slots(class).copy_within(count.., 0);
        self.heads[class.index()].top -= count as u32;
    }

    /// A new cache of `heap`.
    pub(crate) fn create(heap: &'static Inner) -> Option<NonNull<ThreadCache>> {
        let remote = RemoteSet::create(heap)?;
        let index = heap.arena.take(OFFSET + size_of::<ThreadCache>())?;
        let cache = ThreadCache::at(&heap.arena, index);
        let place = cache.as_ptr();
        // SAFETY: the blocks were just taken for this cache, so the field is in bounds and ours.
        let field = unsafe { &raw mut (*place).heap };
        // SAFETY: in bounds, aligned and ours, as above.
        unsafe { field.write(heap) };
        // SAFETY: as for `heap`.
        let field = unsafe { &raw mut (*place).base };
        // SAFETY: as for `heap`.
        unsafe { field.write(heap.base) };
        // SAFETY: as for `heap`.
        let field = unsafe { &raw mut (*place).remote };
        // SAFETY: as for `heap`.
        unsafe { field.write(remote) };
        // SAFETY: all other fields are integers, booleans and atomics, for which the arena's zeroes
        // are values; the three pointers were written. Nobody else knows the cache yet.
        let fields = unsafe { &mut *place };
        fields.index = index;
        fields.len = heap.len;
        for (at, head) in fields.heads.iter_mut().enumerate() {
            let class = Class::from_index(at).expect("one head for each class");
            head.size = class.size() as u32;
            head.top = zero_of(class) as u32;
            head.limit = head.top + (BYTES_MAX / class.size()).clamp(SLOTS_MIN, SLOTS) as u32;
        }
        Some(cache)
    }

    /// Where the cache of block `index` is, if that was taken for one.
    pub(crate) fn at(arena: &Arena, index: u32) -> NonNull<ThreadCache> {
        // SAFETY: a block is longer than the offset.
        unsafe { arena.block(index).add(OFFSET) }.cast()
    }

    pub(crate) fn index(&self) -> u32 {
        self.index
    }
}

/// The slot of the zero below the addresses of `class`.
fn zero_of(class: Class) -> usize {
    class.index() * STRIDE
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::Ordering;
    use std::alloc::{Layout, alloc_zeroed};

    use super::*;
    use crate::class::UNIT_BYTES;
    use crate::heap::{Heap, Waiting};

    fn memory(bytes: usize) -> NonNull<[u8]> {
        let layout = Layout::from_size_align(bytes, UNIT_BYTES).expect("a sensible size");
        // SAFETY: the size is not zero.
        let first = NonNull::new(unsafe { alloc_zeroed(layout) }).expect("test memory");
        NonNull::slice_from_raw_parts(first, bytes)
    }

    /// What a thread does that has lost a race for this cache.
    #[test]
    fn the_link_may_be_read_while_the_cache_is_used() {
        let heap: &'static Heap = Box::leak(Box::new(Heap::new()));
        // SAFETY: both ranges are zeroed, leaked and used by nobody else.
        unsafe { heap.init(memory(1 << 20), memory(1 << 20), Waiting::Allowed) }.expect("a heap");
        let mut cache = heap.cache().expect("metadata for a cache");
        // SAFETY: nobody else has this cache.
        let cache = unsafe { cache.as_mut() };
        let link = cache.heap.arena.link(cache.index());
        assert!(
            link.as_ptr().addr() + size_of::<u32>() <= (&raw const *cache).addr(),
            "not borrowed with it"
        );
        assert_eq!(link.load(Ordering::Relaxed), 0);
        // Miri: still borrowed exclusively.
        assert!(!cache.alloc(64, 8).is_null());
    }
}
