//! A heap over memory of the test's own allocator, and reproducible random numbers.

use std::alloc::{Layout, alloc_zeroed};
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
