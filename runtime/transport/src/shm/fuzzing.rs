//! A peer that writes what it likes.

use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::layout::LINE_BYTES;
use super::{LinkEnd, ShmWire, Sizes};
use crate::mesh::Wire;

const SIZES: Sizes = Sizes { slots: 4, bulk_bytes: 256 };
/// All lines but those of the bulk areas, of which nothing but bytes is read.
const LINES: usize = 18;

/// Does what `bytes` say, twelve for a deed: the peer writes a word anywhere, this side reads, writes or goes to sleep.
///
/// # Panics
/// When this side does, or finds something else than a peer that must not be believed.
pub fn peer(bytes: &[u8]) {
    let (mine, theirs) = LinkEnd::pair(SIZES).expect("memory and descriptors");
    let mine = Arc::new(mine.into_link().expect("memory"));
    let theirs = theirs.into_link().expect("memory");
    let mut wire = ShmWire::over(Arc::clone(&mine));
    let mut buffer = [0; 1 << 10];
    let (deeds, _) = bytes.as_chunks::<12>();
    for [deed, line, word, len, value @ ..] in deeds {
        let some = &mut buffer[..4 * usize::from(*len)];
        let done = match deed % 4 {
            0 => {
                let line = theirs.region.line(usize::from(*line) % LINES * LINE_BYTES);
                line[usize::from(*word) % line.len()].store(u64::from_le_bytes(*value), Ordering::Relaxed);
                Ok(0)
            }
            1 => wire.read(some),
            2 => wire.write(&[IoSlice::new(some)]),
            _ => {
                theirs.bell.ring();
                mine.arm(len.is_multiple_of(2));
                Ok(0)
            }
        };
        match done {
            Ok(count) => assert!(count <= 4 * usize::from(*len)),
            Err(error) => {
                let known = [ErrorKind::WouldBlock, ErrorKind::InvalidData, ErrorKind::BrokenPipe];
                assert!(known.contains(&error.kind()), "{error}");
            }
        }
    }
}
