//! A decoder with a mistake, that libFuzzer must find: else it sees nothing of what runs.
#![no_main]

use std::hint::black_box;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // One after the other: who sees no coverage needs all of them at once.
    let fits = bytes.iter().zip(b"dstd").take_while(|&(byte, wanted)| black_box(*byte) == *wanted);
    let mut steps = 0;
    for _ in fits {
        steps = black_box(step(steps));
    }
});

/// A step for each byte: reached one by one.
#[inline(never)]
fn step(steps: u32) -> u32 {
    match black_box(steps) {
        0 => black_box(1),
        1 => black_box(2),
        2 => black_box(3),
        _ => panic!("the mistake"),
    }
}
