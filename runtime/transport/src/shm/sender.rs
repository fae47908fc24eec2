//! The writing half of a link: pieces into slots and the bulk area.
//!
//! ```text
//! slot   word 0               words 1..8
//!      | mark 32 | len 31 |B| the bytes, or nothing if B says that they lie in the bulk area |
//! ```
//! Words 1..8 and the bulk bytes are written first, word 0 last with release. The bulk area is
//! filled round and round; a piece begins on a line of its own and may go over the end. Where it
//! begins follows from the lengths before it, so both sides count and nobody asks.

use crate::primitive::Ordering;
use std::io::{self, IoSlice};

use super::door::FRAMES;
use super::layout::{INLINE_BYTES, LINE_BYTES, SLOTS_BYTES_MAX};
use super::link::{Link, malformed};

/// The bit of a slot's length that sends the reader to the bulk area.
pub(super) const BULK: u32 = 1 << 31;

/// What the writer knows by itself.
pub(super) struct Sender {
    /// Pieces published.
    tail: u64,
    /// Pieces known to be taken.
    taken: u64,
    /// Bytes of the bulk area used, lines of padding included.
    bulk_tail: u64,
    /// Bytes of the bulk area known to be free again.
    bulk_taken: u64,
    /// `bulk_tail` after each piece that may still be under way, by slot.
    bulk_ends: Box<[u64]>,
}

impl Sender {
    pub(super) fn new(slots: usize) -> Sender {
        Sender { tail: 0, taken: 0, bulk_tail: 0, bulk_taken: 0, bulk_ends: vec![0; slots].into() }
    }

    /// Publishes as much of the slices as there is room for and returns the number of bytes.
    pub(super) fn write(&mut self, link: &Link, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut bytes = Bytes::of(slices);
        let offered = bytes.left;
        while bytes.left > 0 {
            if self.tail - self.taken == link.layout.slots() as u64 {
                self.look(link)?;
                if self.tail - self.taken == link.layout.slots() as u64 {
                    break;
                }
            }
            if bytes.left <= SLOTS_BYTES_MAX {
                self.push_inline(link, &mut bytes);
            } else if !self.push_bulk(link, &mut bytes)? {
                break;
            }
        }
        link.note_stuck((bytes.left > 0).then_some(self.taken));
        if bytes.left < offered {
            link.wake(FRAMES);
        }
        Ok(offered - bytes.left)
    }

    /// Learns how much the peer has taken.
    fn look(&mut self, link: &Link) -> io::Result<()> {
        let taken = link.peer_taken();
        if taken == self.taken {
            return Ok(());
        }
        if self.tail.wrapping_sub(taken) > self.tail - self.taken {
            return Err(malformed("the peer says that it took what was not there"));
        }
        self.taken = taken;
        // At most `slots - 1` pieces are under way now, so the entry of the last one taken is
        // not yet overwritten.
        self.bulk_taken = self.bulk_ends[link.layout.index(taken - 1)];
        Ok(())
    }

    fn push_inline(&mut self, link: &Link, bytes: &mut Bytes<'_>) {
        let len = bytes.left.min(INLINE_BYTES);
        let mut piece = [0; INLINE_BYTES];
        let mut at = 0;
        bytes.take(len, |part| {
            piece[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        });
        let (words, _) = piece.as_chunks::<8>();
        for (word, bytes) in link.slot_out(self.tail)[1..].iter().zip(words) {
            word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        self.publish(link, len as u32);
    }

    /// False when the area is full.
    fn push_bulk(&mut self, link: &Link, bytes: &mut Bytes<'_>) -> io::Result<bool> {
        let area = link.layout.bulk_bytes();
        let wanted = bytes.left.min(link.layout.piece_bytes_max());
        let mut free = area - (self.bulk_tail - self.bulk_taken) as usize;
        if free < wanted {
            self.look(link)?;
            free = area - (self.bulk_tail - self.bulk_taken) as usize;
        }
        let len = wanted.min(free);
        if len == 0 {
            return Ok(false);
        }
        let start = link.layout.bulk(link.side);
        let mut at = self.bulk_tail;
        bytes.take(len, |part| {
            let offset = at as usize & (area - 1);
            let (here, round) = part.split_at(part.len().min(area - offset));
            link.region.copy_in(start + offset, here);
            link.region.copy_in(start, round);
            at += part.len() as u64;
        });
        self.bulk_tail += len.next_multiple_of(LINE_BYTES) as u64;
        self.publish(link, len as u32 | BULK);
        // The peer can begin with this piece while the next one is written.
        if bytes.left > 0 {
            link.wake(FRAMES);
        }
        Ok(true)
    }

    /// Release: pairs with the reader's load of the same word; the piece's bytes come before.
    fn publish(&mut self, link: &Link, len: u32) {
        self.bulk_ends[link.layout.index(self.tail)] = self.bulk_tail;
        let word = u64::from(len) << 32 | u64::from(Link::mark(self.tail));
        link.slot_out(self.tail)[0].store(word, Ordering::Release);
        self.tail += 1;
    }
}

/// The bytes of several slices, one after the other.
struct Bytes<'a> {
    slices: &'a [IoSlice<'a>],
    /// Bytes of the first slice that were taken.
    at: usize,
    left: usize,
}

impl<'a> Bytes<'a> {
    fn of(slices: &'a [IoSlice<'a>]) -> Bytes<'a> {
        Bytes { slices, at: 0, left: slices.iter().map(|slice| slice.len()).sum() }
    }

    /// Hands the next `count` bytes to `part`, in parts.
    fn take(&mut self, mut count: usize, mut part: impl FnMut(&[u8])) {
        self.left -= count;
        while count > 0 {
            let rest = &self.slices[0][self.at..];
            let len = rest.len().min(count);
            part(&rest[..len]);
            count -= len;
            self.at += len;
            if self.at == self.slices[0].len() {
                self.slices = &self.slices[1..];
                self.at = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_taken_in_parts_of_any_size() {
        let source: Vec<u8> = (0..100).collect();
        let slices = [&source[..0], &source[..1], &source[1..1], &source[1..40], &source[40..], &[]];
        for step in 1..=100 {
            let slices = slices.map(IoSlice::new);
            let mut bytes = Bytes::of(&slices);
            let mut taken = Vec::new();
            while bytes.left > 0 {
                bytes.take(bytes.left.min(step), |part| taken.extend_from_slice(part));
            }
            assert_eq!(taken, source, "steps of {step}");
        }
    }
}
