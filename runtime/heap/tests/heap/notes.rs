//! What is noted of a block, and which block an address lies in.

use crate::support::{Cache, heap};

/// The interpreter keeps more of each byte than the byte.
const HEAP: usize = if cfg!(miri) { 4 << 20 } else { 64 << 20 };
const SIZES: &[usize] = &[1, 16, 40, 100, 700, 3000, 5000, 32 << 10, 33 << 10, 100_000, 3 << 20];

#[test]
fn blocks_of_all_sizes_are_found_from_every_byte() {
    let (heap, start) = heap(HEAP);
    assert!(heap.keep_notes());
    let mut cache = Cache::of(heap);
    let mut blocks = Vec::new();
    for &size in SIZES.iter().filter(|&&size| size < HEAP / 16) {
        for _ in 0..3 {
            let block = cache.get().alloc(size, 8).addr() as u64;
            assert!(block >= start);
            blocks.push((block, size as u64));
        }
    }
    for (at, (block, _)) in blocks.iter().enumerate() {
        heap.note(*block, at as u16 + 1);
    }
    for (at, (block, size)) in blocks.iter().enumerate() {
        assert_eq!(heap.noted(*block), at as u16 + 1);
        for byte in [0, size / 3, size - 1] {
            let (first, bytes) = heap.block_around(block + byte).expect("a block");
            assert_eq!(first, *block, "byte {byte} of {size}");
            assert!(bytes >= *size && (bytes <= size + size / 4 + 16 || bytes - size < 4096));
        }
    }
}

#[test]
fn where_no_block_is_none_is_found() {
    let (heap, start) = heap(HEAP);
    let mut cache = Cache::of(heap);
    assert!(heap.keep_notes());
    assert_eq!(heap.block_around(start + HEAP as u64 / 8), None);
    assert_eq!((heap.block_around(16), heap.noted(16)), (None, 0));
    let bytes = HEAP / 64;
    let large = cache.get().alloc(bytes, 8);
    let beyond = cache.get().alloc(bytes, 8);
    let middle = large.addr() as u64 + bytes as u64 / 2;
    assert_eq!(heap.block_around(middle), Some((large.addr() as u64, bytes as u64)));
    // SAFETY: allocated above with these numbers, and not used again.
    unsafe { cache.get().free(large, bytes, 8) };
    assert_eq!(heap.block_around(middle), None, "a freed run is no block");
    assert!(heap.block_around(beyond.addr() as u64).is_some());
    heap.note(16, 5);
}

#[test]
fn a_block_that_takes_the_place_of_the_one_asked_for_last_is_another() {
    let (heap, _) = heap(HEAP);
    let mut cache = Cache::of(heap);
    let bytes = HEAP / 16;
    let found = |addr: u64| heap.block_around(addr);
    let first = cache.get().alloc(bytes, 8);
    let large = first.addr() as u64;
    let beyond = cache.get().alloc(bytes, 8).addr() as u64;
    for _ in 0..2 {
        for block in [large, beyond, beyond] {
            assert_eq!(found(block + bytes as u64 - 1), Some((block, bytes as u64)));
        }
    }
    assert_eq!(found(large), Some((large, bytes as u64)));
    // SAFETY: allocated above with these numbers, and not used again.
    unsafe { cache.get().free(first, bytes, 8) };
    assert_eq!(found(large), None, "a freed run is no block");
    let halves = [0, 1].map(|_| cache.get().alloc(bytes / 2, 8).addr() as u64);
    assert_eq!(halves, [large, large + bytes as u64 / 2], "they take its place");
    for half in [halves[0], halves[1], halves[0]] {
        assert_eq!(found(half + bytes as u64 / 4), Some((half, bytes as u64 / 2)));
    }
}

#[test]
#[cfg_attr(miri, ignore = "the interpreter keeps more of each byte than the byte")]
fn deep_in_a_very_large_block_is_what_was_found_last() {
    let (heap, _) = heap(512 << 20);
    let bytes = 300 << 20;
    let mut cache = Cache::of(heap);
    let [_, block] = [1 << 20, bytes].map(|bytes| cache.get().alloc(bytes as usize, 8).addr() as u64);
    assert_eq!(heap.block_around(block + bytes - 1), None, "too far to search");
    assert_eq!(heap.block_around(block + (200 << 20)), Some((block, bytes)));
    assert_eq!(heap.block_around(block + bytes - 1), Some((block, bytes)));
}

#[test]
fn without_room_nothing_is_noted() {
    let (heap, _) = heap(1 << 20);
    let block = Cache::of(heap).get().alloc(64, 8).addr() as u64;
    heap.note(block, 7);
    assert_eq!(heap.noted(block), 0);
}
