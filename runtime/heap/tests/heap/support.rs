//! A heap over memory of the test's own allocator, and reproducible random numbers.

use std::alloc::{Layout, alloc_zeroed};
use std::ops::Range;
use std::ptr::NonNull;

use dstd_heap::{Heap, ThreadCache, Waiting};

const UNIT: usize = 64 << 10;

/// Leaked zeroed memory, aligned to 64 KiB.
pub(crate) fn memory(bytes: usize) -> NonNull<[u8]> {
    let layout = Layout::from_size_align(bytes, UNIT).expect("a sensible size");
    // SAFETY: the size is not zero.
    let first = NonNull::new(unsafe { alloc_zeroed(layout) }).expect("test memory");
    NonNull::slice_from_raw_parts(first, bytes)
}

/// A leaked heap of `bytes` bytes, and its first address.
pub(crate) fn heap(bytes: usize) -> (&'static Heap, u64) {
    heap_that_waits(bytes, Waiting::Allowed)
}

/// As [`heap`], with the memory of its blocks.
pub(crate) fn heap_and_memory(bytes: usize) -> (&'static Heap, NonNull<[u8]>) {
    let heap: &'static Heap = Box::leak(Box::new(Heap::new()));
    let range = memory(bytes);
    // SAFETY: both ranges are zeroed, leaked and used by nobody else.
    unsafe { heap.init(range, memory(bytes / 2 + (2 << 20)), Waiting::Allowed) }.expect("a heap");
    (heap, range)
}

/// Gives back what is idle beyond `keep` bytes; how many bytes that were.
pub(crate) fn give_back(heap: &Heap, memory: NonNull<[u8]>, keep: u64) -> u64 {
    let mut bytes = 0;
    while let Some(idle) = heap.take_idle(keep) {
        for range in idle.ranges() {
            zero(memory, range.clone());
            bytes += range.end - range.start;
            heap.give_idle(range);
        }
    }
    bytes
}

/// Whether every one of `bytes` is `mark`. Compares with itself, one byte on: that is fast in Miri, too.
pub(crate) fn all_are(mark: u8, bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|first| *first == mark) && bytes[1..] == bytes[..bytes.len() - 1]
}

/// What the system does with the memory of an idle run.
pub(crate) fn zero(memory: NonNull<[u8]>, range: Range<u64>) {
    let first = memory.cast::<u8>();
    let offset = range.start as usize - first.addr().get();
    let len = (range.end - range.start) as usize;
    assert!(offset + len <= memory.len(), "{range:x?} is not in the heap");
    // SAFETY: the offset is inside the memory.
    let start = unsafe { first.add(offset) };
    // SAFETY: inside the memory, and nobody else uses an idle run (HEAP-3), which the tests check.
    unsafe { start.write_bytes(0, len) };
}

/// As [`heap`], waiting as said.
pub(crate) fn heap_that_waits(bytes: usize, waiting: Waiting) -> (&'static Heap, u64) {
    let heap: &'static Heap = Box::leak(Box::new(Heap::new()));
    let range = memory(bytes);
    // SAFETY: both ranges are zeroed, leaked and used by nobody else.
    unsafe { heap.init(range, memory(bytes / 2 + (2 << 20)), waiting) }.expect("a heap");
    (heap, range.cast::<u8>().addr().get() as u64)
}

/// A cache of `heap` that is given back when dropped.
pub(crate) struct Cache {
    heap: &'static Heap,
    cache: NonNull<ThreadCache>,
}

impl Cache {
    /// Takes a cache.
    pub(crate) fn of(heap: &'static Heap) -> Cache {
        Cache { heap, cache: heap.cache().expect("metadata for a cache") }
    }

    /// The cache.
    pub(crate) fn get(&mut self) -> &mut ThreadCache {
        // SAFETY: this value owns the cache and is borrowed mutably.
        unsafe { self.cache.as_mut() }
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        // SAFETY: from this heap, and not used again.
        unsafe { self.heap.retire(self.cache) }
    }
}

/// A small random generator (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    /// The generator of this run: `DSTD_TEST_SEED` or `default`; prints how to repeat it.
    pub(crate) fn of_run(test: &str, default: u64) -> Random {
        let seed = std::env::var("DSTD_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(default);
        println!("seed {seed}; repeat with DSTD_TEST_SEED={seed} cargo test -p dstd-heap {test}");
        Random(seed | 1)
    }

    /// Another generator that depends on this one.
    pub(crate) fn split(&mut self) -> Random {
        Random(self.next() | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
