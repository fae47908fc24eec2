//! Numbers that stand alone: one thread counts, whoever wants to reads.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Adds `n` without a bus lock: only one thread may write to `cell`, else counts are lost.
pub fn add(cell: &AtomicU64, n: u64) {
    cell.store(get(cell).wrapping_add(n), Relaxed);
}

/// The number.
pub fn get(cell: &AtomicU64) -> u64 {
    cell.load(Relaxed)
}
