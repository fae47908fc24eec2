//! The memory of a link: lines of modelled words, and lines of bulk whose owners take turns.

use std::sync::Arc;

use super::layout::{LINE_BYTES, Layout, Side};
use crate::evidence::Evidence;
use crate::primitive::AtomicU64;

pub(super) type Line = [AtomicU64; LINE_BYTES / 8];

/// Both sides' view.
#[derive(Clone)]
pub(super) struct Region(Arc<Memory>);

struct Memory {
    lines: Vec<Line>,
    /// Where the bulk areas begin, and their lines: each carries a byte for all of its own.
    areas: [(usize, Vec<Evidence>); 2],
}

impl Region {
    pub(super) fn new(layout: Layout) -> Region {
        let end = layout.slot(Side::Second, 0) + layout.slots() * LINE_BYTES;
        let lines = (0..end / LINE_BYTES).map(|_| std::array::from_fn(|_| AtomicU64::new(0))).collect();
        let areas = [Side::First, Side::Second].map(|side| {
            let lines = (0..layout.bulk_bytes() / LINE_BYTES).map(|_| Evidence::new(0)).collect();
            (layout.bulk(side), lines)
        });
        Region(Arc::new(Memory { lines, areas }))
    }

    pub(super) fn line(&self, at: usize) -> &Line {
        assert!(at.is_multiple_of(LINE_BYTES));
        &self.0.lines[at / LINE_BYTES]
    }

    pub(super) fn copy_in(&self, at: usize, from: &[u8]) {
        for (line, bytes) in self.bulk(at, from.len()).zip(from.chunks(LINE_BYTES)) {
            line.set(u64::from(bytes[0]));
        }
    }

    pub(super) fn copy_out(&self, at: usize, into: &mut [u8]) {
        for (line, bytes) in self.bulk(at, into.len()).zip(into.chunks_mut(LINE_BYTES)) {
            bytes.fill(line.get() as u8);
        }
    }

    fn bulk(&self, at: usize, len: usize) -> impl Iterator<Item = &Evidence> {
        let (start, lines) = self.0.areas.iter().rfind(|(start, _)| *start <= at).expect("an offset of bulk");
        assert!(at.is_multiple_of(LINE_BYTES), "models use whole lines");
        lines[(at - start) / LINE_BYTES..][..len.div_ceil(LINE_BYTES)].iter()
    }
}
