//! Two pages, and somebody who keeps writing to a part of them.

use std::hint::black_box;

use dstd::sync::atomic::{AtomicBool, Ordering};

#[repr(align(4096))]
pub(crate) struct Pages(pub(crate) [u8; 8_192]);

/// A flag that has a page of its own.
#[repr(align(4096))]
pub(crate) struct Apart(pub(crate) AtomicBool);

/// Writes to all of `bytes` until it is `done`, and nobody else may have.
pub(crate) fn hammer(bytes: &mut [u8], done: &AtomicBool) {
    let mut turn = 0_u8;
    while !done.load(Ordering::Relaxed) {
        turn = turn.wrapping_add(1);
        black_box(&mut *bytes).fill(turn);
    }
    assert!(bytes.iter().all(|byte| *byte == turn));
}
