//! The rare paths of a cache: getting more, giving back, runs of pages.
//!
//! No path here touches a block (P6, ISO-2): addresses move between caches and nodes.

use core::ptr;
use core::sync::atomic::Ordering;

use dstd_addr::{PAGE_BYTES, PAGE_SHIFT};

use crate::cache::ThreadCache;
use crate::class::{CLASSES, Class, UNIT_BYTES, UNIT_SHIFT};
use crate::heap::{Inner, Place};
use crate::node::{BATCH_ADDRS, Node};
use crate::pal;

pub(crate) const PAGES_PER_UNIT: u32 = (UNIT_BYTES as u64 / PAGE_BYTES) as u32;
/// How many nodes of remote frees one refill drains: more frees come back than it hands out.
const DRAIN_NODES: usize = 8;
/// So many bytes of small blocks are worth a word.
const FLUSHED_BYTES: u64 = 1 << 20;

impl ThreadCache {
    /// Gets blocks of `class` from the centre or a new span, and takes one.
    #[cold]
    #[inline(never)]
    pub(crate) fn refill_slow(&mut self, class: Class) -> Option<(u64, bool)> {
        self.drain(DRAIN_NODES);
        let found = self.kept(class) > 0
            || self.refill_from_batch(class)
            || self.refill_from_range(class)
            || self.refill_from_span(class);
        if !found {
            self.drain(usize::MAX);
            if self.kept(class) == 0 && !self.refill_from_batch(class) {
                return None;
            }
        }
        self.take_cached(class)
    }

    /// Gives the older half of a full class to the centre.
    #[cold]
    #[inline(never)]
    pub(crate) fn flush_slow(&mut self, class: Class) {
        self.flush_oldest(class, (self.kept(class) / 2).clamp(1, BATCH_ADDRS));
    }

    /// A run of pages of `size` bytes at `align`, and how many of its bytes may not be zero.
    #[cold]
    #[inline(never)]
    pub(crate) fn alloc_run_slow(&mut self, size: usize, align: usize) -> (*mut u8, usize) {
        let fits = size as u64 <= self.heap.len && align as u64 <= self.heap.len;
        if !fits {
            return (ptr::null_mut(), 0);
        }
        let pages = pages_of(size);
        let align = pages_of(align);
        self.drain(DRAIN_NODES);
        let run = self.heap.runs.alloc(pages, align).or_else(|| {
            self.drain(usize::MAX);
            self.heap.runs.alloc(pages, align)
        });
        let Some(run) = run else { return (ptr::null_mut(), 0) };
        self.heap.count_live((pages as usize) << PAGE_SHIFT);
        (self.pointer(self.heap.page_addr(run.page)), (run.dirty as usize) << PAGE_SHIFT)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn free_run_slow(&mut self, addr: u64) {
        if !self.heap.free_run(addr) {
            pal::stop("HEAP-3: a large block was freed that is not live");
        }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn resize_run_slow(&mut self, addr: u64, new_size: usize) -> bool {
        let heap = self.heap;
        let Place::Page(page) = heap.place(addr) else { return false };
        let (Some(old), true) = (heap.runs.live_len(page), new_size as u64 <= heap.len) else { return false };
        let new = pages_of(new_size);
        if new != old && !heap.runs.resize(page, new) {
            return false;
        }
        heap.count_live((new as usize) << PAGE_SHIFT);
        heap.count_dead((old as usize) << PAGE_SHIFT);
        if new < old {
            heap.tell_freed();
        }
        true
    }

    /// Makes everything this cache holds available to others; its index.
    pub(crate) fn release_all(&mut self) -> u32 {
        for class in (0..CLASSES).filter_map(Class::from_index) {
            while self.kept(class) > 0 {
                self.flush_oldest(class, self.kept(class).min(BATCH_ADDRS));
            }
            self.release_range(class);
        }
        while let Some(batch) = self.remote.take(self.heap) {
            self.heap.count_leaked(batch.addrs().len());
            self.heap.recycle_node(batch.index());
        }
        self.index()
    }

    /// Takes up to `nodes` nodes of blocks that other nodes have freed.
    pub(crate) fn drain(&mut self, nodes: usize) {
        let heap = self.heap;
        for _ in 0..nodes {
            if heap.incoming.is_empty() {
                return;
            }
            let Some(index) = heap.incoming.pop(&heap.arena) else { return };
            let node = Node::at(&heap.arena, index);
            for at in 0..node.len() {
                let addr = node.get(at);
                heap.clear_pending(addr);
                match heap.place(addr) {
                    Place::Span(class, _) => self.give(class, addr),
                    Place::Page(_) => {
                        if !heap.free_run(addr) {
                            heap.remote_rejected.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            }
            heap.recycle_node(index);
        }
    }

    fn refill_from_batch(&mut self, class: Class) -> bool {
        let heap = self.heap;
        let Some(index) = heap.central[class.index()].batches.pop(&heap.arena) else { return false };
        let taken = Node::at(&heap.arena, index).copy_to(self.empty_slots(class));
        self.filled(class, taken);
        heap.recycle_node(index);
        heap.count_live(taken * class.size());
        taken > 0
    }

    fn refill_from_range(&mut self, class: Class) -> bool {
        let heap = self.heap;
        let Some(index) = heap.central[class.index()].ranges.pop(&heap.arena) else { return false };
        let node = Node::at(&heap.arena, index);
        let head = &mut self.heads[class.index()];
        (head.bump, head.end, head.fresh) = (node.get(0), node.get(1), node.get(2) != 0);
        heap.count_live((head.end - head.bump) as usize);
        heap.recycle_node(index);
        true
    }

    fn refill_from_span(&mut self, class: Class) -> bool {
        let heap = self.heap;
        let units = class.units();
        let Some(run) = heap.runs.alloc(units as u32 * PAGES_PER_UNIT, PAGES_PER_UNIT) else { return false };
        let start = heap.page_addr(run.page);
        let unit = ((start - heap.start) >> UNIT_SHIFT) as usize;
        for offset in 0..units {
            let entry = (class.index() + 1) as u16 | (offset as u16) << 8;
            heap.units[unit + offset].store(entry, Ordering::Relaxed);
        }
        let head = &mut self.heads[class.index()];
        head.bump = start;
        head.end = start + (class.blocks() * class.size()) as u64;
        head.fresh = run.dirty == 0;
        heap.count_live(class.blocks() * class.size());
        true
    }

    /// Gives the `count` oldest free blocks of `class` to the centre.
    fn flush_oldest(&mut self, class: Class, count: usize) {
        let heap = self.heap;
        match heap.spare_node() {
            Some(index) => {
                Node::at(&heap.arena, index).fill(&self.kept_slots(class)[..count]);
                heap.central[class.index()].batches.push(&heap.arena, index);
                heap.count_dead(count * class.size());
                heap.note_flushed(count * class.size());
            }
            None => heap.count_leaked(count),
        }
        self.drop_oldest(class, count);
    }

    fn release_range(&mut self, class: Class) {
        let heap = self.heap;
        let head = &mut self.heads[class.index()];
        if head.bump == head.end {
            return;
        }
        match heap.spare_node() {
            Some(index) => {
                Node::at(&heap.arena, index).fill(&[head.bump, head.end, u64::from(head.fresh)]);
                heap.central[class.index()].ranges.push(&heap.arena, index);
                heap.count_dead((head.end - head.bump) as usize);
            }
            None => heap.count_leaked((head.end - head.bump) as usize / class.size()),
        }
        head.bump = head.end;
    }
}

impl Inner {
    /// Counts bytes of small blocks that came to the centre, and says so now and then: spans may be free.
    fn note_flushed(&self, bytes: usize) {
        let before = self.flushed_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if before / FLUSHED_BYTES != (before + bytes as u64) / FLUSHED_BYTES {
            self.tell_freed();
        }
    }

    /// Frees the run that begins at `addr`; false when none does.
    fn free_run(&self, addr: u64) -> bool {
        let page = ((addr - self.start) >> PAGE_SHIFT) as u32;
        let freed = if addr == self.page_addr(page) { self.runs.free(page) } else { None };
        if let Some(pages) = freed {
            self.count_dead((pages as usize) << PAGE_SHIFT);
            self.tell_freed();
        }
        freed.is_some()
    }

    pub(crate) fn tell_freed(&self) {
        if let Some(hook) = self.freed_hook.get() {
            hook(u64::from(self.runs.freed()) << PAGE_SHIFT);
        }
    }
}

/// How many pages hold `bytes`, at least one. The caller has bounded `bytes` by the range.
fn pages_of(bytes: usize) -> u32 {
    (bytes.div_ceil(PAGE_BYTES as usize) as u32).max(1)
}
