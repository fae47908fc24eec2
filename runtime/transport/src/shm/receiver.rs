//! The reading half of a link. Nothing here believes the peer: see [`shm`](super).

use crate::primitive::Ordering;
use std::io;

use super::door::ROOM;
use super::layout::{INLINE_BYTES, LINE_BYTES};
use super::link::{Link, malformed};
use super::sender::BULK;

/// What the reader knows by itself.
pub(super) struct Receiver {
    /// The piece that is read next.
    next: u64,
    /// Bytes of it that were read already.
    part: usize,
    /// Where the next bulk piece begins.
    bulk: u64,
    /// The position at which reading stops, though the peer may go on.
    stop: Option<u64>,
}

impl Receiver {
    pub(super) fn new() -> Receiver {
        Receiver { next: 0, part: 0, bulk: 0, stop: None }
    }

    /// Copies out what was published, as much as there is room for; 0 when nothing is there.
    pub(super) fn read(&mut self, link: &Link, into: &mut [u8]) -> io::Result<usize> {
        let first = self.next;
        let mut count = 0;
        while count < into.len() && Some(self.next) != self.stop {
            // Acquire: pairs with the sender's store of the same word; the bytes came before.
            let word = link.slot_in(self.next)[0].load(Ordering::Acquire);
            if !Link::published(word, self.next) {
                break;
            }
            match self.read_piece(link, (word >> 32) as u32, &mut into[count..]) {
                Ok(bytes) => count += bytes,
                // What came before it counts; the next read fails again.
                Err(_) if count > 0 => break,
                Err(error) => return Err(error),
            }
        }
        if self.next != first {
            link.wake(ROOM);
        }
        Ok(count)
    }

    /// Reads what was published so far at most, and nothing that comes later.
    pub(super) fn stop_soon(&mut self, link: &Link) {
        self.stop.get_or_insert(self.next + link.layout.slots() as u64);
    }

    fn read_piece(&mut self, link: &Link, len: u32, into: &mut [u8]) -> io::Result<usize> {
        let bulk = len & BULK != 0;
        let len = (len & !BULK) as usize;
        let len_max = if bulk { link.layout.piece_bytes_max() } else { INLINE_BYTES };
        // Also when the peer changed the word after a part had been read.
        if len > len_max || len <= self.part {
            return Err(malformed(&format!("a piece of {len} bytes in a slot for {len_max}")));
        }
        let count = into.len().min(len - self.part);
        let into = &mut into[..count];
        if bulk {
            self.copy_bulk(link, into);
        } else {
            self.copy_inline(link, into);
        }
        self.part += count;
        if self.part == len {
            self.part = 0;
            self.next += 1;
            if bulk {
                self.bulk += len.next_multiple_of(LINE_BYTES) as u64;
            }
            link.take(self.next);
        }
        Ok(count)
    }

    fn copy_inline(&self, link: &Link, into: &mut [u8]) {
        let mut piece = [0; INLINE_BYTES];
        let (words, _) = piece.as_chunks_mut::<8>();
        for (bytes, word) in words.iter_mut().zip(&link.slot_in(self.next)[1..]) {
            *bytes = word.load(Ordering::Relaxed).to_ne_bytes();
        }
        into.copy_from_slice(&piece[self.part..self.part + into.len()]);
    }

    fn copy_bulk(&self, link: &Link, into: &mut [u8]) {
        let area = link.layout.bulk_bytes();
        let start = link.layout.bulk(link.side.other());
        let offset = (self.bulk as usize + self.part) & (area - 1);
        let (here, round) = into.split_at_mut(into.len().min(area - offset));
        link.region.copy_out(start + offset, here);
        link.region.copy_out(start, round);
    }
}
