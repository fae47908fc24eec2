//! The heap against a model: a sorted map of the live blocks (HEAP-3).

use std::collections::BTreeMap;
use std::ptr;

use crate::support::{Cache, Random, all_are, give_back, heap, heap_and_memory};
use dstd_heap::ThreadCache;

const BYTES: usize = if cfg!(miri) { 2 << 20 } else { 16 << 20 };
const STEPS: usize = if cfg!(miri) { 300 } else { 60_000 };

#[derive(Clone, Copy)]
struct Block {
    memory: *mut u8,
    size: usize,
    align: usize,
    mark: u8,
}

/// The live blocks by address, with what was written to both ends of each.
#[derive(Default)]
struct Model(BTreeMap<usize, Block>);

impl Model {
    fn add(&mut self, block: Block) {
        let start = block.memory.addr();
        assert!(start.is_multiple_of(block.align), "{start:#x} is not aligned to {}", block.align);
        let before = self.0.range(..start + block.size).next_back();
        if let Some((other, live)) = before {
            assert!(other + live.size <= start, "HEAP-3: {start:#x} overlaps {other:#x}+{}", live.size);
        }
        self.0.insert(start, block);
    }

    fn any(&self, random: &mut Random) -> Option<usize> {
        let pick = random.below(self.0.len().max(1));
        self.0.keys().nth(pick).copied()
    }
}

impl Block {
    fn write_ends(&self) {
        // SAFETY: the first byte of a live block of at least one byte.
        unsafe { self.memory.write(self.mark) };
        let last = self.memory.wrapping_add(self.size - 1);
        // SAFETY: the last byte of the same block.
        unsafe { last.write(self.mark) };
    }

    fn check_ends(&self) {
        // SAFETY: the first byte of a live block.
        let first = unsafe { self.memory.read() };
        let last = self.memory.wrapping_add(self.size - 1);
        // SAFETY: the last byte of the same block.
        let last = unsafe { last.read() };
        assert_eq!((first, last), (self.mark, self.mark), "a live block changed");
    }
}

fn random_size(random: &mut Random) -> usize {
    match random.below(20) {
        0 => 1 + random.below(400_000),
        1..4 => 1 + random.below(40_000),
        _ => 1 + random.below(700),
    }
}

fn allocate(cache: &mut ThreadCache, random: &mut Random, model: &mut Model) {
    let size = random_size(random);
    let align = if random.below(4) == 0 { 1 << random.below(17) } else { 8 };
    let zeroed = random.below(3) == 0;
    let cached =
        if zeroed || random.below(2) == 0 { ptr::null_mut() } else { cache.alloc_cached(size, align) };
    let memory = match cached {
        cached if !cached.is_null() => cached,
        _ if zeroed => cache.alloc_zeroed(size, align),
        _ => cache.alloc(size, align),
    };
    if memory.is_null() {
        return;
    }
    if zeroed {
        // SAFETY: a live block of `size` bytes that was zeroed just now.
        let bytes = unsafe { std::slice::from_raw_parts(memory, size) };
        assert!(all_are(0, bytes), "{size} bytes at {memory:p} are not all zero");
    }
    let block = Block { memory, size, align, mark: random.below(255) as u8 + 1 };
    block.write_ends();
    model.add(block);
}

fn release(cache: &mut ThreadCache, random: &mut Random, block: Block) {
    block.check_ends();
    // SAFETY: a live block with this size and alignment that the model has just forgotten.
    if random.below(3) != 0 && unsafe { cache.free_cached(block.memory, block.size, block.align) } {
        return;
    }
    if random.below(2) == 0 {
        // SAFETY: as above: it is still live.
        unsafe { cache.free(block.memory, block.size, block.align) };
    } else {
        // SAFETY: as above.
        unsafe { cache.free_addr(block.memory.addr() as u64) };
    }
}

fn resize(cache: &mut ThreadCache, random: &mut Random, model: &mut Model, start: usize) {
    let mut block = model.0.remove(&start).expect("picked from the model");
    block.check_ends();
    let size = random_size(random);
    // SAFETY: a live block with this size and alignment.
    if unsafe { cache.resize(block.memory, block.size, block.align, size) } {
        block.size = size;
    }
    block.write_ends();
    model.add(block);
}

#[test]
fn a_random_history_agrees_with_the_model() {
    let mut random = Random::of_run("a_random_history_agrees_with_the_model", 7);
    let (heap, memory) = heap_and_memory(BYTES);
    let mut model = Model::default();
    let mut cache = Cache::of(heap);
    for step in 0..STEPS {
        let pressure = if step / 5000 % 2 == 0 { 6 } else { 4 };
        match random.below(12) {
            0 => {
                if let Some(start) = model.any(&mut random) {
                    resize(cache.get(), &mut random, &mut model, start);
                }
            }
            dice if dice <= pressure => allocate(cache.get(), &mut random, &mut model),
            _ => {
                if let Some(start) = model.any(&mut random) {
                    let block = model.0.remove(&start).expect("picked from the model");
                    release(cache.get(), &mut random, block);
                }
            }
        }
        if random.below(500) == 0 {
            heap.reclaim_spans();
            give_back(heap, memory, random.below(BYTES) as u64 / 8);
        }
        if step % 1000 == 999 {
            // Another thread's cache takes over: everything passes through the centre.
            cache = Cache::of(heap);
        }
    }
    for block in std::mem::take(&mut model.0).into_values() {
        release(cache.get(), &mut random, block);
    }
    drop(cache);
    assert_eq!(heap.counters().live_bytes, 0);
    assert_eq!(heap.counters().leaked, 0);
}

#[test]
fn a_block_that_was_freed_is_used_again() {
    let (heap, _) = heap(2 << 20);
    let mut cache = Cache::of(heap);
    for size in [1, 16, 100, 5000, 32 << 10, 100_000, 1 << 20] {
        let first = cache.get().alloc(size, 8);
        assert!(!first.is_null());
        // SAFETY: live, with this size and alignment.
        unsafe { cache.get().free(first, size, 8) };
        assert_eq!(cache.get().alloc(size, 8), first);
        // SAFETY: as above.
        unsafe { cache.get().free(first, size, 8) };
    }
}

#[test]
fn a_full_heap_returns_null_and_recovers() {
    let bytes = if cfg!(miri) { 256 << 10 } else { 1 << 20 };
    for size in [48, 3000, 30_000, 70_000].into_iter().skip(if cfg!(miri) { 1 } else { 0 }) {
        let (heap, _) = heap(bytes);
        let mut cache = Cache::of(heap);
        let mut all = Vec::new();
        loop {
            let block = cache.get().alloc(size, 16);
            if block.is_null() {
                break;
            }
            all.push(block);
        }
        assert!(all.len() * size > bytes / 2, "{size}: only {} blocks", all.len());
        assert!(cache.get().alloc(2 << 20, 8).is_null());
        assert!(cache.get().alloc(usize::MAX / 2, 8).is_null());
        let count = all.len();
        for block in all.drain(..) {
            // SAFETY: live, with this size and alignment.
            unsafe { cache.get().free(block, size, 16) };
        }
        for _ in 0..count {
            assert!(!cache.get().alloc(size, 16).is_null(), "{size}: memory was lost");
        }
    }
}

#[test]
fn large_blocks_merge_when_freed() {
    let (heap, _) = heap(1 << 20);
    let mut cache = Cache::of(heap);
    let parts: Vec<_> = (0..8).map(|_| cache.get().alloc(128 << 10, 4096)).collect();
    assert!(parts.iter().all(|part| !part.is_null()));
    assert!(cache.get().alloc(64 << 10, 4096).is_null());
    for at in [1, 3, 5, 7, 0, 2, 4, 6] {
        // SAFETY: live, with this size and alignment.
        unsafe { cache.get().free(parts[at], 128 << 10, 4096) };
    }
    assert!(!cache.get().alloc(1 << 20, 4096).is_null());
}

#[test]
fn a_large_block_grows_and_shrinks_in_place() {
    let (heap, _) = heap(1 << 20);
    let mut cache = Cache::of(heap);
    let block = cache.get().alloc(64 << 10, 8);
    // SAFETY: live, with this size and alignment; resized to what the next call names.
    assert!(unsafe { cache.get().resize(block, 64 << 10, 8, 512 << 10) });
    let behind = cache.get().alloc(64 << 10, 8);
    // SAFETY: as above.
    assert!(!unsafe { cache.get().resize(block, 512 << 10, 8, 800 << 10) });
    // SAFETY: as above.
    assert!(unsafe { cache.get().resize(block, 512 << 10, 8, 40 << 10) });
    let between = cache.get().alloc(400 << 10, 8);
    assert!(block < between && between < behind);
    assert_eq!(cache.get().usable_bytes(block.addr() as u64), Some(40 << 10));
}
