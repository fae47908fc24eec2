//! What Miri and the sanitizers must notice. `cargo xtask miri` and `cargo xtask sanitize` ask for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::{Cache, heap, heap_and_memory};

/// Nothing without the variable.
#[test]
fn broken() {
    match std::env::var("DSTD_CANARY").as_deref() {
        Ok("race") => a_block_is_handed_over_without_order(),
        Ok("beyond") => the_byte_behind_a_heap_is_written(),
        _ => {}
    }
}

/// A block's address.
struct Address(*mut u8);

// SAFETY: wrong on purpose: two threads use the block.
unsafe impl Send for Address {}

fn a_block_is_handed_over_without_order() {
    let (heap, _) = heap(1 << 20);
    let mut cache = Cache::of(heap);
    let block = cache.get().alloc(64, 8);
    assert!(!block.is_null());
    let (written, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let address = Address(block);
    thread::scope(|scope| {
        scope.spawn(|| {
            let address = address;
            // SAFETY: a live block.
            unsafe { address.0.write(1) };
            written.store(true, Ordering::Relaxed);
            wait_for(&over);
        });
        wait_for(&written);
        // SAFETY: none: wrong on purpose, for nothing orders this after the other thread's write. That thread still runs:
        // its end, of which its handle tells, would order them.
        unsafe { block.write(2) };
        over.store(true, Ordering::Relaxed);
    });
}

/// Orders nothing.
fn wait_for(flag: &AtomicBool) {
    while !flag.load(Ordering::Relaxed) {
        thread::yield_now();
    }
}

fn the_byte_behind_a_heap_is_written() {
    let (_, memory) = heap_and_memory(1 << 20);
    let end = memory.cast::<u8>().as_ptr().wrapping_add(memory.len());
    // SAFETY: none: wrong on purpose.
    unsafe { end.write(1) };
}
