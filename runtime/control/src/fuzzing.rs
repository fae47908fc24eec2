//! What `cargo xtask fuzz` feeds.

use std::fmt::Debug;

use crate::wire::{FromLauncher, FromNode, frame, take};

/// Takes control messages out of `bytes`, whose first two say which and where the stream is cut.
///
/// # Panics
/// When a message would be written otherwise than it was read, or a cut makes a difference.
pub fn wire(bytes: &[u8]) {
    let Some(([which, cut], stream)) = bytes.split_first_chunk::<2>() else { return };
    if which % 2 == 0 {
        messages::<FromNode>(stream, usize::from(*cut));
    } else {
        messages::<FromLauncher>(stream, usize::from(*cut));
    }
}

fn messages<M: bincode::Encode + bincode::Decode<()> + PartialEq + Debug>(stream: &[u8], cut: usize) {
    let (first, second) = stream.split_at(cut.min(stream.len()));
    let (whole, whole_rest) = read::<M>(&[stream]);
    let (parts, parts_rest) = read::<M>(&[first, second]);
    assert_eq!(whole, parts, "the stream was cut at {cut}");
    assert_eq!(whole_rest, parts_rest);
    let written: Vec<u8> = whole.iter().flat_map(|message| frame(message).expect("it was read")).collect();
    assert_eq!(written, stream[..written.len()], "{whole:?}");
}

/// The messages, and what is left; `None` when a message cannot be understood.
fn read<M: bincode::Decode<()>>(parts: &[&[u8]]) -> (Vec<M>, Option<Vec<u8>>) {
    let (mut inbox, mut all) = (Vec::new(), Vec::new());
    for part in parts {
        inbox.extend_from_slice(part);
        loop {
            match take(&mut inbox) {
                Ok(Some(message)) => all.push(message),
                Ok(None) => break,
                Err(_) => return (all, None),
            }
        }
    }
    (all, Some(inbox))
}
