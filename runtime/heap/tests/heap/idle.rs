//! Memory that goes back to the system, and what is kept for others.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::support::{Cache, Random, all_are, give_back, heap, heap_and_memory, zero};

const MIB: usize = 1 << 20;
const HEAP: usize = if cfg!(miri) { 2 * MIB } else { 32 * MIB };

#[test]
fn a_freed_block_goes_back_and_is_not_handed_out_meanwhile() {
    let (heap, memory) = heap_and_memory(HEAP);
    let mut cache = Cache::of(heap);
    let block = cache.get().alloc(HEAP / 2, 8);
    // SAFETY: live, of this size.
    unsafe { block.write_bytes(7, HEAP / 2) };
    assert!(heap.take_idle(0).is_none(), "nothing is free");
    // SAFETY: live, with this size and alignment.
    unsafe { cache.get().free(block, HEAP / 2, 8) };
    let idle = heap.take_idle(0).expect("half of the heap");
    assert_eq!(idle.ranges().map(|range| range.end - range.start).sum::<u64>(), HEAP as u64 / 2);
    assert!(heap.take_idle(0).is_none(), "the rest was never used");
    assert!(cache.get().alloc(HEAP * 3 / 4, 8).is_null(), "idle runs are nobody's");
    let other = cache.get().alloc(HEAP / 2, 8).addr() as u64;
    assert!(idle.ranges().all(|range| !range.contains(&other)));
    for range in idle.ranges() {
        zero(memory, range.clone());
        heap.give_idle(range);
    }
    assert_eq!(heap.counters().returned_bytes, HEAP as u64 / 2);
    assert_eq!(cache.get().alloc_zeroed(HEAP / 2, 8), block, "merged again");
    // SAFETY: live, of this size, zeroed.
    assert!(all_are(0, unsafe { std::slice::from_raw_parts(block, HEAP / 2) }));
}

#[test]
fn as_much_is_kept_as_was_asked_for() {
    let (heap, memory) = heap_and_memory(HEAP);
    let mut cache = Cache::of(heap);
    let part = HEAP / 16;
    let blocks: Vec<_> = (0..15).map(|_| cache.get().alloc(part, 8)).collect();
    for block in blocks.iter().step_by(2) {
        // SAFETY: live, with this size and alignment.
        unsafe { cache.get().free(*block, part, 8) };
    }
    let freed = 8 * part as u64;
    assert_eq!(give_back(heap, memory, freed), 0);
    let back = give_back(heap, memory, freed / 2);
    assert!(back >= freed / 2 && back <= freed / 2 + part as u64, "{back} of {freed} bytes");
    assert_eq!(give_back(heap, memory, 0), freed - back);
    assert_eq!(give_back(heap, memory, 0), 0, "nothing twice");
}

#[test]
fn what_is_reserved_is_not_handed_out() {
    let (heap, _) = heap(HEAP);
    let mut cache = Cache::of(heap);
    let (all, half) = (HEAP as u64, HEAP / 2);
    let block = cache.get().alloc(half, 8);
    assert_eq!(heap.counters().in_use_bytes, half as u64);
    assert!(!heap.reserve(all / 2 + 4096, 0));
    assert!(!heap.reserve(all / 4, all / 2), "it would not leave enough");
    assert!(heap.reserve(all / 4, all / 4));
    assert!(cache.get().alloc(HEAP / 2, 8).is_null());
    // SAFETY: live, with this size and alignment.
    assert!(!unsafe { cache.get().resize(block, half, 8, HEAP) });
    heap.unreserve(all / 4);
    // SAFETY: as above.
    assert!(unsafe { cache.get().resize(block, half, 8, HEAP) });
    // SAFETY: as above, with the new size.
    assert!(unsafe { cache.get().resize(block, HEAP, 8, half) });
    assert_eq!(heap.counters().in_use_bytes, half as u64);
}

#[test]
fn the_hook_hears_of_large_frees() {
    static HEARD: AtomicU64 = AtomicU64::new(0);
    let (heap, _) = heap(HEAP);
    heap.on_freed(|bytes| HEARD.store(bytes, Ordering::Relaxed));
    let mut cache = Cache::of(heap);
    for round in 1..=3 {
        let block = cache.get().alloc(MIB, 8);
        // SAFETY: live, with this size and alignment.
        unsafe { cache.get().free(block, MIB, 8) };
        assert_eq!(HEARD.load(Ordering::Relaxed), (round * MIB) as u64);
    }
    assert!(heap.take_idle(u64::MAX).is_none(), "all may stay");
    let block = cache.get().alloc(MIB, 8);
    // SAFETY: as above.
    unsafe { cache.get().free(block, MIB, 8) };
    assert_eq!(HEARD.load(Ordering::Relaxed), MIB as u64, "counted from there");
}

#[test]
fn blocks_keep_their_contents_while_others_give_memory_back() {
    const THREADS: usize = 3;
    let rounds = if cfg!(miri) { 12 } else { 3_000 };
    let mut random = Random::of_run("blocks_keep_their_contents", 5);
    let (heap, memory) = heap_and_memory(HEAP);
    let memory = Mutex::new(SendPtr(memory));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let users: Vec<_> = (0..THREADS)
            .map(|mark| {
                let mut random = random.split();
                scope.spawn(move || {
                    let mut cache = Cache::of(heap);
                    for _ in 0..rounds {
                        let size = match random.below(3) {
                            0 => 64 * 1024 + random.below(HEAP / 16),
                            _ => 3 + random.below(3_000),
                        };
                        let zeroed = random.below(2) == 0;
                        let block = if zeroed {
                            cache.get().alloc_zeroed(size, 8)
                        } else {
                            cache.get().alloc(size, 8)
                        };
                        if block.is_null() {
                            continue;
                        }
                        let ends = [block, block.wrapping_add(size / 2), block.wrapping_add(size - 1)];
                        for end in ends {
                            // SAFETY: inside the block, which is zeroed or test memory that was zeroed once.
                            assert!(!zeroed || unsafe { end.read() } == 0, "not zero");
                            // SAFETY: inside the block.
                            unsafe { end.write(mark as u8 + 1) };
                        }
                        thread::yield_now();
                        for end in ends {
                            // SAFETY: inside the block.
                            assert_eq!(unsafe { end.read() }, mark as u8 + 1, "HEAP-3: a live block changed");
                        }
                        // SAFETY: live, with this size and alignment.
                        unsafe { cache.get().free(block, size, 8) };
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let memory = memory.lock().expect("no panic").0;
            while !done.load(Ordering::Relaxed) {
                heap.reclaim_spans();
                give_back(heap, memory, 0);
            }
        });
        let ended: Vec<_> = users.into_iter().map(|user| user.join()).collect();
        done.store(true, Ordering::Relaxed);
        assert!(ended.into_iter().all(|end| end.is_ok()));
    });
    heap.reclaim_spans();
    assert_eq!(heap.counters().in_use_bytes, 0);
}

#[test]
fn spans_whose_blocks_are_all_free_go_back() {
    let (heap, memory) = heap_and_memory(HEAP);
    for round in 0..if cfg!(miri) { 1 } else { 3 } {
        let mut cache = Cache::of(heap);
        let sizes = [16, 100, 700, 5_000, 20_000];
        let blocks: Vec<_> = (0..HEAP / 8_000).map(|at| (sizes[at % 5], at)).collect();
        let blocks: Vec<_> = blocks
            .into_iter()
            .map(|(size, _)| (cache.get().alloc_zeroed(size, 8), size))
            .filter(|(block, _)| !block.is_null())
            .collect();
        for (block, size) in &blocks {
            // SAFETY: live, of this size.
            let bytes = unsafe { std::slice::from_raw_parts_mut(*block, *size) };
            assert!(all_are(0, bytes), "round {round}");
            bytes.fill(1);
        }
        let used = heap.counters().in_use_bytes;
        let (first, rest) = blocks.split_first().expect("some blocks");
        for (block, size) in rest {
            // SAFETY: live, with this size and alignment.
            unsafe { cache.get().free(*block, *size, 8) };
        }
        drop(cache);
        assert_eq!(heap.reclaim_spans(), Some(true));
        assert_eq!(heap.counters().in_use_bytes, 64 << 10, "the first block's span");
        assert!(give_back(heap, memory, 0) >= used - (64 << 10));
        // SAFETY: still live and written above.
        assert_eq!(unsafe { first.0.read() }, 1);
        // SAFETY: live, with this size and alignment.
        unsafe { Cache::of(heap).get().free(first.0, first.1, 8) };
        heap.reclaim_spans();
        assert_eq!(heap.counters().in_use_bytes, 0);
    }
}

/// Fills a heap with blocks of `size` bytes, frees one, and allocates that again and again while another thread
/// sweeps and gives memory back.
fn finds_a_place_or_a_reason(size: usize) {
    let rounds = if cfg!(miri) { 5 } else { 20_000 };
    let (heap, memory) = heap_and_memory(HEAP);
    let mut cache = Cache::of(heap);
    let block = cache.get().alloc(size, 8);
    while !cache.get().alloc(size, 8).is_null() {}
    // SAFETY: live, with this size and alignment.
    unsafe { cache.get().free(block, size, 8) };
    drop(cache);
    let memory = Mutex::new(SendPtr(memory));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let memory = memory.lock().expect("no panic").0;
            while !done.load(Ordering::Relaxed) {
                heap.reclaim_spans();
                give_back(heap, memory, 0);
            }
        });
        let missed = (0..rounds).find(|_| {
            let mut cache = Cache::of(heap);
            let before = heap.on_its_way();
            let block = cache.get().alloc(size, 8);
            if block.is_null() {
                return !before.was_missed(heap.on_its_way());
            }
            // SAFETY: live, with this size and alignment.
            unsafe { cache.get().free(block, size, 8) };
            false
        });
        done.store(true, Ordering::Relaxed);
        assert_eq!(missed, None, "this round has found no place, and no reason");
    });
}

#[test]
fn who_finds_no_place_is_told_of_memory_that_is_just_out_of_reach() {
    finds_a_place_or_a_reason(700);
    finds_a_place_or_a_reason(MIB);
}

struct SendPtr(std::ptr::NonNull<[u8]>);

// SAFETY: an address of leaked memory; who writes through it keeps to idle runs.
unsafe impl Send for SendPtr {}
