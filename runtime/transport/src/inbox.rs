//! Bytes that came from one peer and the frames in them.

use crate::frame::{FRAME_ALIGN, HEADER_BYTES, Header, body_bytes, frame_bytes};
use crate::limits::{MOVE_BYTES, READ_BYTES};

/// A receive buffer that is read into in large pieces and handed out frame by frame, in place.
///
/// ```text
/// base          head              tail                 len
///  | handed out  | not yet         | room for a read    |
/// ```
/// `base` is 8-byte aligned, and so is every frame, since frames are padded.
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    base: usize,
    head: usize,
    tail: usize,
}

/// A frame declared a body beyond the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooLarge {
    pub(crate) declared: u32,
}

impl Inbox {
    /// A buffer for ordinary frames; larger ones make it grow to their size.
    pub(crate) fn new() -> Inbox {
        let (bytes, base) = aligned(READ_BYTES);
        Inbox { bytes, base, head: base, tail: base }
    }

    /// The buffer of a peer that is not there.
    pub(crate) fn none() -> Inbox {
        Inbox { bytes: Vec::new(), base: 0, head: 0, tail: 0 }
    }

    /// Whether the last byte received ended a frame.
    pub(crate) fn at_frame_end(&self) -> bool {
        self.head == self.tail
    }

    /// The next whole frame, if it is there.
    pub(crate) fn next(&mut self, body_bytes_max: u32) -> Result<Option<(&Header, &[u8])>, TooLarge> {
        let Some(declared) = self.declared() else { return Ok(None) };
        if declared > body_bytes_max {
            return Err(TooLarge { declared });
        }
        let start = self.head;
        let end = start + frame_bytes(declared as usize);
        if end > self.tail {
            return Ok(None);
        }
        self.head = end;
        let (header, rest) =
            self.bytes[start..end].split_first_chunk().expect("a frame is longer than its header");
        Ok(Some((header, &rest[..declared as usize])))
    }

    /// Room for the next read: some of what the frame under way still needs, and more.
    ///
    /// Call it when [`next`](Inbox::next) has found nothing more, so that a declared length here
    /// is within the limit.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        let frame = self.declared().map_or(HEADER_BYTES, |declared| frame_bytes(declared as usize));
        let movable = self.head > self.base && self.tail - self.head <= MOVE_BYTES;
        if movable || self.head + frame > self.bytes.len() {
            self.make_room(frame);
        }
        let end = self.bytes.len().min(self.tail + READ_BYTES);
        &mut self.bytes[self.tail..end]
    }

    /// The first `count` bytes of the room were filled.
    pub(crate) fn filled(&mut self, count: usize) {
        assert!(
            count <= self.bytes.len() - self.tail,
            "XPORT-2: more bytes were read than there was room for"
        );
        self.tail += count;
    }

    fn declared(&self) -> Option<u32> {
        self.bytes[self.head..self.tail].first_chunk().map(body_bytes)
    }

    /// Moves the frame under way to the front, of a larger buffer if it needs one.
    fn make_room(&mut self, frame: usize) {
        let held = self.tail - self.head;
        if self.base + frame > self.bytes.len() {
            let (mut bytes, base) = aligned(frame);
            bytes[base..base + held].copy_from_slice(&self.bytes[self.head..self.tail]);
            (self.bytes, self.base) = (bytes, base);
        } else {
            self.bytes.copy_within(self.head..self.tail, self.base);
        }
        self.head = self.base;
        self.tail = self.base + held;
    }
}

/// A zeroed buffer, and the index from which it has `len` bytes at an aligned address.
fn aligned(len: usize) -> (Vec<u8>, usize) {
    let bytes = vec![0; len + FRAME_ALIGN];
    let base = bytes.as_ptr().addr().wrapping_neg() % FRAME_ALIGN;
    (bytes, base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{padding, set_body_bytes};

    fn frame(len: usize, fill: u8) -> Vec<u8> {
        let mut header = [fill; HEADER_BYTES];
        set_body_bytes(&mut header, len as u32);
        [&header, vec![fill; len].as_slice(), padding(len)].concat()
    }

    #[test]
    fn frames_come_out_whole_and_aligned_however_the_bytes_came_in() {
        for piece in [1, 7, 31, 32, 33, 4096, READ_BYTES] {
            let lens = [0, 1, 7, 8, 4096, 3 * READ_BYTES, 0, 5, READ_BYTES - HEADER_BYTES, 100];
            let sent: Vec<u8> =
                lens.iter().enumerate().flat_map(|(at, &len)| frame(len, at as u8 + 1)).collect();
            let (mut inbox, mut came, mut next) = (Inbox::new(), 0, 0);
            while came < sent.len() || next < lens.len() {
                while let Some((header, body)) = inbox.next(u32::MAX).unwrap() {
                    assert_eq!(header[0], next as u8 + 1);
                    assert_eq!(body.as_ptr().addr() % FRAME_ALIGN, 0);
                    assert_eq!(body, vec![next as u8 + 1; lens[next]]);
                    next += 1;
                }
                let room = inbox.room();
                let count = piece.min(room.len()).min(sent.len() - came);
                room[..count].copy_from_slice(&sent[came..came + count]);
                inbox.filled(count);
                came += count;
            }
            assert!(inbox.at_frame_end());
        }
    }

    #[test]
    fn a_declared_length_beyond_the_limit_is_refused_before_any_allocation() {
        let mut inbox = Inbox::new();
        let before = inbox.bytes.len();
        let mut header = [0; HEADER_BYTES];
        set_body_bytes(&mut header, 1001);
        inbox.room()[..HEADER_BYTES].copy_from_slice(&header);
        inbox.filled(HEADER_BYTES);
        assert_eq!(inbox.next(1000), Err(TooLarge { declared: 1001 }));
        assert_eq!(inbox.bytes.len(), before);
    }

    #[test]
    fn a_buffer_of_small_frames_never_grows() {
        let mut inbox = Inbox::new();
        let before = inbox.bytes.as_ptr();
        let one = frame(4096, 9);
        for _ in 0..1000 {
            for half in one.chunks(one.len() / 2) {
                inbox.room()[..half.len()].copy_from_slice(half);
                inbox.filled(half.len());
                while inbox.next(4096).unwrap().is_some() {}
            }
        }
        assert_eq!(inbox.bytes.as_ptr(), before);
    }
}
