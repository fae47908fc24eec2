//! What loom cannot: if a test fails here, loom has learnt it, and what stands in for it can go.
#![cfg(loom)]

use std::sync::atomic::{AtomicBool as Flag, Ordering::Relaxed};

use loom::sync::Arc;
use loom::sync::atomic::AtomicU32;
use loom::thread;

/// One thread stores 1, then 3; another swaps in a 2. A swap that has read the 1 is followed by the 3: nothing
/// comes between a swap and what it has read. Loom lets the 2 be the last value, so `primitive` has flags
/// stored by swaps.
#[test]
fn a_store_may_come_between_a_swap_and_what_it_has_read() {
    let seen = std::sync::Arc::new(Flag::new(false));
    let against_the_rules = std::sync::Arc::clone(&seen);
    loom::model(move || {
        let word = Arc::new(AtomicU32::new(0));
        let other = Arc::clone(&word);
        let swapper = thread::spawn(move || other.swap(2, Relaxed));
        word.store(1, Relaxed);
        word.store(3, Relaxed);
        let read = swapper.join().expect("no panic");
        if read == 1 && word.load(Relaxed) == 2 {
            against_the_rules.store(true, Relaxed);
        }
    });
    assert!(seen.load(Relaxed), "loom keeps swaps whole: let the flags of `primitive` be stored by stores");
}
