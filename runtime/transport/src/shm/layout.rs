//! What lies where in a link's memory: arithmetic only.
//!
//! ```text
//! offset
//!      0  head                 magic, slots, bulk bytes; written once before the file is shared
//!    128  door of the first    written by the first (sleeps, left) and by the second (wakes)
//!    256  taken by the first   slots of the second's ring that the first has read
//!    384  door of the second   the other way round
//!    512  taken by the second
//!    640  ring of the first    slots x 64 bytes, written by the first, read by the second
//!         ring of the second
//!         bulk of the first    from the next page on
//!         bulk of the second
//! ```
//! Everything that is written at different times by different cores has lines of its own, two
//! because processors fetch lines in pairs.

use std::io;

/// What cores exchange.
pub(super) const LINE_BYTES: usize = 64;

/// Bytes of a piece that lie in its slot, after the slot's word.
pub(super) const INLINE_BYTES: usize = LINE_BYTES - 8;

/// Up to this many bytes go into slots, four at most: more lines than that and the one that a
/// bulk piece takes on top no longer matters.
pub(super) const SLOTS_BYTES_MAX: usize = 4 * INLINE_BYTES;

/// The largest bulk piece: the receiver copies one while the sender writes the next.
pub(super) const PIECE_BYTES_MAX: usize = 64 << 10;

/// "dstdshm" and the version of this layout.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"dstdshm\x01");

const APART: usize = 2 * LINE_BYTES;
const RINGS: usize = 5 * APART;
const PAGE: usize = 4096;

/// How much a link holds in each direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// Pieces under way; a power of two, at most 65536. One is enough to be right.
    pub slots: u32,
    /// Bytes of bulk under way; a power of two from 64 to 256 MiB. Larger frames pass in parts.
    pub bulk_bytes: u32,
}

impl Default for Sizes {
    /// 64 KiB of slots and 1 MiB of bulk. Memory that is never used is never allocated.
    fn default() -> Sizes {
        Sizes { slots: 1 << 10, bulk_bytes: 1 << 20 }
    }
}

/// What the links of a program may take together, in bytes, unless that leaves each less than [`BULK_BYTES_MIN`].
const PROGRAM_BYTES: usize = 256 << 20;

/// The least bulk area: a message of read-ahead fits in a few parts.
const BULK_BYTES_MIN: usize = 64 << 10;

impl Sizes {
    /// The sizes for each link of a program of `nodes` nodes. Up to 16 they are the default ones. With more, the bulk
    /// areas become smaller, so that all links together stay near 256 MiB; 64 nodes can use 315 MiB.
    pub fn for_nodes(nodes: usize) -> Sizes {
        let links = nodes.saturating_mul(nodes.saturating_sub(1)) / 2;
        let share = PROGRAM_BYTES / links.max(1) / 2;
        let most = Sizes::default();
        let bulk_bytes = (1 << share.max(1).ilog2()).clamp(BULK_BYTES_MIN as u32, most.bulk_bytes);
        // Pieces of 256 bytes, the smallest that take bulk, shall find a slot until the area is full.
        let slots = (bulk_bytes / 256).clamp(1, most.slots);
        Sizes { slots, bulk_bytes }
    }
}

/// Which of the two nodes of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    First,
    Second,
}

impl Side {
    pub(super) fn other(self) -> Side {
        match self {
            Side::First => Side::Second,
            Side::Second => Side::First,
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// The offsets that follow from the sizes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Layout {
    sizes: Sizes,
}

impl Layout {
    /// Refuses sizes beyond the bounds, wherever they come from.
    pub(super) fn new(sizes: Sizes) -> io::Result<Layout> {
        let slots = sizes.slots.is_power_of_two() && sizes.slots <= 1 << 16;
        let bulk =
            sizes.bulk_bytes.is_power_of_two() && (LINE_BYTES as u32..=256 << 20).contains(&sizes.bulk_bytes);
        if slots && bulk {
            return Ok(Layout { sizes });
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "a link of {} slots and {} bytes of bulk cannot be made: choose powers of two, at most 65536 \
                 slots and 64 bytes to 256 MiB",
                sizes.slots, sizes.bulk_bytes
            ),
        ))
    }

    pub(super) fn sizes(&self) -> Sizes {
        self.sizes
    }

    pub(super) fn slots(&self) -> usize {
        self.sizes.slots as usize
    }

    pub(super) fn bulk_bytes(&self) -> usize {
        self.sizes.bulk_bytes as usize
    }

    /// The largest bulk piece: a quarter of the area, so that sender and receiver overlap.
    pub(super) fn piece_bytes_max(&self) -> usize {
        (self.bulk_bytes() / 4).clamp(LINE_BYTES, PIECE_BYTES_MAX)
    }

    /// All bytes of the file.
    pub(super) fn bytes(&self) -> usize {
        self.bulk(Side::Second) + self.bulk_bytes().next_multiple_of(PAGE)
    }

    /// The line of the three words that describe the rest.
    pub(super) const HEAD: usize = 0;

    /// The line of a side's door.
    pub(super) fn door(side: Side) -> usize {
        APART + 2 * APART * side.index()
    }

    /// The line in which the reader counts the slots it took.
    pub(super) fn taken(reader: Side) -> usize {
        Layout::door(reader) + APART
    }

    /// The line of a slot in the writer's ring.
    pub(super) fn slot(&self, writer: Side, position: u64) -> usize {
        let ring = RINGS + writer.index() * self.slots() * LINE_BYTES;
        // The mask leaves fewer than 17 bits.
        ring + self.index(position) * LINE_BYTES
    }

    /// The number of the slot that a position falls on.
    pub(super) fn index(&self, position: u64) -> usize {
        position as usize & (self.slots() - 1)
    }

    /// Where the writer's bulk area begins.
    pub(super) fn bulk(&self, writer: Side) -> usize {
        let areas = (RINGS + 2 * self.slots() * LINE_BYTES).next_multiple_of(PAGE);
        areas + writer.index() * self.bulk_bytes().next_multiple_of(PAGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_overlaps_and_everything_fits() {
        for slots in [1, 2, 1024, 1 << 16] {
            for bulk_bytes in [64, 128, 4096, 1 << 20] {
                let layout = Layout::new(Sizes { slots, bulk_bytes }).unwrap();
                let last = u64::from(slots) - 1;
                let (one, two) = (Side::First, Side::Second);
                let mut parts = vec![(Layout::HEAD, LINE_BYTES)];
                for side in [one, two] {
                    parts.push((Layout::door(side), LINE_BYTES));
                    parts.push((Layout::taken(side), LINE_BYTES));
                    let ring = layout.slot(side, 0);
                    parts.push((ring, layout.slot(side, last) + LINE_BYTES - ring));
                    parts.push((layout.bulk(side), layout.bulk_bytes()));
                }
                parts.sort_unstable();
                for pair in parts.windows(2) {
                    assert!(pair[0].0 + pair[0].1 <= pair[1].0, "{pair:?} in {layout:?}");
                }
                let (start, len) = *parts.last().unwrap();
                assert!(start + len <= layout.bytes());
                assert!(parts.iter().all(|(start, _)| start % LINE_BYTES == 0));
                assert_eq!(layout.slot(one, 0), layout.slot(one, u64::from(slots)));
            }
        }
    }

    #[test]
    fn the_links_of_a_program_are_bounded_together() {
        for nodes in [0, 1, 2, 3, 16] {
            assert_eq!(Sizes::for_nodes(nodes), Sizes::default(), "{nodes} nodes");
        }
        for nodes in 2..=64 {
            let layout = Layout::new(Sizes::for_nodes(nodes)).unwrap();
            let all = nodes * (nodes - 1) / 2 * layout.bytes();
            assert!(all <= 330 << 20, "{nodes} nodes: {all}");
            assert!(layout.bulk_bytes() >= BULK_BYTES_MIN && layout.slots() >= 256);
        }
    }

    #[test]
    fn sizes_out_of_bounds_are_refused() {
        for (slots, bulk_bytes) in [(0, 64), (3, 64), (1 << 17, 64), (1, 0), (1, 32), (1, 96), (1, 1 << 29)] {
            assert!(Layout::new(Sizes { slots, bulk_bytes }).is_err(), "{slots} {bulk_bytes}");
        }
    }
}
