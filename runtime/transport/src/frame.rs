//! The shape of a frame on a byte stream.
//!
//! ```text
//! byte   0      4        8                     32            32+len      next multiple of 8
//!        | ...  | len LE | ... (opaque)         | body ...    | zeros ... |
//!        |<------------ header: 32 ------------>|<--- len --->|<-- 0..7 ->|
//! ```
//! The padding keeps every frame, and with it every body, 8-byte aligned in the receive buffer.

use std::ops::Range;

/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 32;

/// A frame's header: bytes 4..8 are the body's length, the others belong to the sender.
pub type Header = [u8; HEADER_BYTES];

/// Frames start at multiples of this on a byte stream.
pub(crate) const FRAME_ALIGN: usize = 8;

/// Where the length of the body stands in a header.
const LEN: Range<usize> = 4..8;

/// The zeros that may follow a body.
const ZEROS: [u8; FRAME_ALIGN] = [0; FRAME_ALIGN];

/// The length of the body that `header` declares.
pub fn body_bytes(header: &Header) -> u32 {
    let mut len = [0; 4];
    len.copy_from_slice(&header[LEN]);
    u32::from_le_bytes(len)
}

/// Declares a body of `len` bytes in `header`.
pub fn set_body_bytes(header: &mut Header, len: u32) {
    header[LEN].copy_from_slice(&len.to_le_bytes());
}

/// The padding after a body of `len` bytes.
pub(crate) fn padding(len: usize) -> &'static [u8] {
    &ZEROS[..len.next_multiple_of(FRAME_ALIGN) - len]
}

/// All bytes of a frame with a body of `len` bytes: header, body, padding.
pub(crate) const fn frame_bytes(len: usize) -> usize {
    HEADER_BYTES + len.next_multiple_of(FRAME_ALIGN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_survives_in_bytes_4_to_8() {
        let mut header = [0xff; HEADER_BYTES];
        set_body_bytes(&mut header, 0x0102_0304);
        assert_eq!(header[..9], [0xff, 0xff, 0xff, 0xff, 4, 3, 2, 1, 0xff]);
        assert_eq!(body_bytes(&header), 0x0102_0304);
    }

    #[test]
    fn frames_keep_the_alignment() {
        for len in 0..100 {
            assert_eq!(frame_bytes(len) % FRAME_ALIGN, 0);
            assert_eq!(frame_bytes(len), HEADER_BYTES + len + padding(len).len());
            assert!(padding(len).len() < FRAME_ALIGN);
        }
    }
}
