//! What `cargo xtask fuzz` feeds.

use crate::frame::{HEADER_BYTES, Header, body_bytes, frame_bytes};
use crate::inbox::{Inbox, TooLarge};
pub use crate::shm::fuzzing::peer;

/// The longest body that is accepted.
const BODY_BYTES_MAX: u32 = 1 << 10;

/// Takes frames out of `bytes`, of which the first four say in which pieces the rest arrives.
///
/// # Panics
/// When a frame is not the one that begins where the last one has ended, or whole and not given.
pub fn stream(bytes: &[u8]) {
    let Some((pieces, stream)) = bytes.split_first_chunk::<4>() else { return };
    let (mut inbox, mut came, mut at) = (Inbox::new(), 0, 0);
    for piece in pieces.iter().cycle() {
        loop {
            let expected = first_frame(&stream[at..came]);
            assert_eq!(inbox.next(BODY_BYTES_MAX), expected);
            let Ok(Some((header, _))) = expected else { break };
            at += frame_bytes(body_bytes(header) as usize);
        }
        if came == stream.len() || first_frame(&stream[at..came]).is_err() {
            return;
        }
        let room = inbox.room();
        let count = (1 + usize::from(*piece)).min(room.len()).min(stream.len() - came);
        room[..count].copy_from_slice(&stream[came..came + count]);
        inbox.filled(count);
        came += count;
    }
}

/// The frame at the start of `bytes`, if all of it is there.
fn first_frame(bytes: &[u8]) -> Result<Option<(&Header, &[u8])>, TooLarge> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let declared = body_bytes(header);
    if declared > BODY_BYTES_MAX {
        return Err(TooLarge { declared });
    }
    let whole = bytes.len() >= frame_bytes(declared as usize);
    Ok(whole.then(|| (header, &bytes[HEADER_BYTES..HEADER_BYTES + declared as usize])))
}
