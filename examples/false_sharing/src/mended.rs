//! How many numbers have 12 ones in binary? Every thread counts those of its part in a counter of its own,
//! which has a page of its own: what `main.rs` lacks.

#![forbid(unsafe_code)]

use dstd::ops::Range;
use dstd::place::Apart;
use dstd::sync::atomic::{AtomicU64, Ordering};
use dstd::thread;

const END: u64 = 1 << 28;

fn main() {
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let counters: Vec<Apart<AtomicU64>> = (0..threads).map(|_| Apart::default()).collect();
    thread::scope(|scope| {
        for (part, counter) in (0..threads).zip(&counters) {
            scope.spawn(move || count(part * END / threads..(part + 1) * END / threads, counter));
        }
    });
    let found: u64 = counters.iter().map(|counter| counter.load(Ordering::Relaxed)).sum();
    println!("{found} numbers below {END} have 12 ones");
}

fn count(numbers: Range<u64>, counter: &AtomicU64) {
    for number in numbers {
        if number.count_ones() == 12 {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}
