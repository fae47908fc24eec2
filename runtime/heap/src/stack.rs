//! Lock-free stacks of arena blocks, linked by index.
//!
//! The head carries a tag that every change increments, so a block that was popped and pushed
//! again between the load and the exchange of another thread is noticed.

use crate::arena::Arena;
use crate::primitive::{AtomicU64, Ordering};

/// A stack of blocks of one arena.
pub(crate) struct Stack(AtomicU64);

fn join(tag: u32, index: u32) -> u64 {
    u64::from(tag) << 32 | u64::from(index)
}

impl Stack {
    pub(crate) fn new() -> Stack {
        Stack(AtomicU64::new(0))
    }

    /// Puts block `index` on top. The block must not be on a stack.
    pub(crate) fn push(&self, arena: &Arena, index: u32) {
        let mut head = self.0.load(Ordering::Relaxed);
        loop {
            arena.link(index).store(head as u32, Ordering::Relaxed);
            let new = join(((head >> 32) as u32).wrapping_add(1), index);
            // Release: pairs with the acquire in `pop`, which then sees what the block holds.
            match self.0.compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(seen) => head = seen,
            }
        }
    }

    /// Takes the block on top.
    pub(crate) fn pop(&self, arena: &Arena) -> Option<u32> {
        let mut head = self.0.load(Ordering::Acquire);
        loop {
            let index = head as u32;
            if index == 0 {
                return None;
            }
            // May be stale when another thread has popped the block; then the tag has moved.
            let next = arena.link(index).load(Ordering::Relaxed);
            let new = join(((head >> 32) as u32).wrapping_add(1), next);
            // Acquire: pairs with the release in `push`. Release: keeps the pushes below visible.
            match self.0.compare_exchange_weak(head, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(index),
                Err(seen) => head = seen,
            }
        }
    }

    /// Whether nothing was on the stack a moment ago.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) as u32 == 0
    }
}
