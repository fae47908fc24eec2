//! The arena of a heap, as far as the files under test use it.

use std::mem::size_of;

use crate::primitive::{AtomicU32, AtomicU64};

/// What a table consists of.
pub(crate) trait Entry: 'static {
    fn zero() -> Self;
}

impl Entry for AtomicU32 {
    fn zero() -> Self {
        AtomicU32::new(0)
    }
}

impl Entry for AtomicU64 {
    fn zero() -> Self {
        AtomicU64::new(0)
    }
}

/// Blocks, of which there are only the links.
pub(crate) struct Arena {
    links: Vec<AtomicU32>,
}

impl Arena {
    /// Blocks 1 to `blocks`.
    pub(crate) fn new(blocks: u32) -> Arena {
        Arena { links: (0..=blocks).map(|_| AtomicU32::new(0)).collect() }
    }

    pub(crate) fn link(&self, index: u32) -> &AtomicU32 {
        &self.links[index as usize]
    }

    /// A table that is never given back, as in an arena.
    pub(crate) fn table<T: Entry>(&self, len: usize) -> Option<&'static [T]> {
        assert!(size_of::<T>() > 0);
        Some(Vec::leak((0..len).map(|_| T::zero()).collect()))
    }
}
