//! The bytes of control messages: a little-endian `u32` length, then bincode with fixed-width
//! little-endian integers. The only module that knows the encoding.
//!
//! bincode is unmaintained (RUSTSEC-2025-0141). It is used for the control plane only: a few small
//! messages between ends that have proved the secret, decoded under a limit.

use std::io;
use std::time::Instant;

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};

use crate::rendezvous::{Hello, Peer};
use crate::secret::{Stream, read_by, write_by};

/// No message is longer.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
const LENGTH_BYTES: usize = 4;
/// No message with its length is longer.
pub(crate) const FRAME_BYTES_MAX: usize = LENGTH_BYTES + MESSAGE_BYTES_MAX;

/// Everything a node says to the launcher.
#[derive(Clone, PartialEq, Eq, Debug, bincode::Encode, bincode::Decode)]
pub(crate) enum FromNode {
    /// The node is here.
    Hello(Box<Hello>),
    /// The node is connected to its peers.
    Ready,
    /// The node cannot go on.
    Stop { rank: u16, code: i32, reason: String },
}

/// Everything the launcher says to a node.
#[derive(Clone, PartialEq, Eq, Debug, bincode::Encode, bincode::Decode)]
pub(crate) enum FromLauncher {
    /// The nodes, by rank.
    Peers(Vec<Peer>),
    /// Every node is connected to its peers.
    Start,
    /// The program does not start.
    Refused { code: i32, reason: String },
}

fn config() -> Configuration<LittleEndian, Fixint, Limit<MESSAGE_BYTES_MAX>> {
    bincode::config::standard().with_fixed_int_encoding().with_limit::<MESSAGE_BYTES_MAX>()
}

/// A message and its length.
pub(crate) fn frame(message: &impl bincode::Encode) -> io::Result<Vec<u8>> {
    let body = bincode::encode_to_vec(message, config()).map_err(io::Error::other)?;
    if body.len() > MESSAGE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a control message is too long"));
    }
    let length = u32::try_from(body.len()).expect("the bound fits");
    let mut frame = Vec::with_capacity(LENGTH_BYTES + body.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// A message, from its bytes without the length; all bytes must be used.
fn decode<M: bincode::Decode<()>>(body: &[u8]) -> io::Result<M> {
    match bincode::decode_from_slice(body, config()) {
        Ok((message, used)) if used == body.len() => Ok(message),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a control message cannot be understood")),
    }
}

fn checked_length(bytes: [u8; LENGTH_BYTES]) -> io::Result<usize> {
    usize::try_from(u32::from_le_bytes(bytes))
        .ok()
        .filter(|&length| length <= MESSAGE_BYTES_MAX)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a control message is too long"))
}

/// Sends a message by `deadline`.
pub(crate) fn send(stream: &mut impl Stream, message: &impl bincode::Encode, by: Instant) -> io::Result<()> {
    write_by(stream, &frame(message)?, by)
}

/// Waits for a message until `deadline`.
pub(crate) fn receive<M: bincode::Decode<()>>(stream: &mut impl Stream, by: Instant) -> io::Result<M> {
    let mut length = [0; LENGTH_BYTES];
    read_by(stream, &mut length, by)?;
    let mut body = vec![0; checked_length(length)?];
    read_by(stream, &mut body, by)?;
    decode(&body)
}

/// Takes the first message off `buffer`; `None` when it is not complete yet.
pub(crate) fn take<M: bincode::Decode<()>>(buffer: &mut Vec<u8>) -> io::Result<Option<M>> {
    let Some(&length) = buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let end = LENGTH_BYTES + checked_length(length)?;
    let Some(body) = buffer.get(LENGTH_BYTES..end) else { return Ok(None) };
    let message = decode(body)?;
    buffer.drain(..end);
    Ok(Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendezvous::{Files, PROTOCOL};

    fn hello() -> Hello {
        Hello {
            protocol: PROTOCOL,
            rank: 3,
            pid: 77,
            host: "a host".to_owned(),
            build_id: vec![1, 2, 3],
            layout: [1, 2, 3, u64::MAX],
            probes: [9; 8],
            cpu: 5,
            descriptors: 256,
            threads: 4,
            listen: Some("127.0.0.1:9".parse().expect("an address")),
            memory: Some(Files { heap: 3, stacks: 4, statics: None, striped: Some(5) }),
        }
    }

    #[test]
    fn messages_come_back_as_they_were_from_any_cut_of_the_stream() {
        let sent = [
            FromNode::Hello(Box::new(hello())),
            FromNode::Ready,
            FromNode::Stop { rank: 1, code: 72, reason: "no \u{2028} rights".to_owned() },
        ];
        let bytes: Vec<u8> = sent.iter().flat_map(|message| frame(message).expect("fits")).collect();
        for cut in 0..bytes.len() {
            let mut inbox = Vec::new();
            let mut got: Vec<FromNode> = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                inbox.extend_from_slice(part);
                while let Some(message) = take(&mut inbox).expect("understood") {
                    got.push(message);
                }
            }
            assert_eq!(got, sent, "cut at {cut}");
            assert!(inbox.is_empty());
        }
    }

    #[test]
    fn a_long_message_is_neither_sent_nor_allocated() {
        let stop = FromNode::Stop { rank: 1, code: 70, reason: "x".repeat(MESSAGE_BYTES_MAX) };
        assert!(frame(&stop).is_err());
        let mut inbox = u32::MAX.to_le_bytes().to_vec();
        assert!(take::<FromNode>(&mut inbox).is_err());
    }

    #[test]
    fn a_length_inside_a_message_is_not_believed() {
        let mut inbox = frame(&FromNode::Stop { rank: 1, code: 70, reason: "abc".to_owned() }).expect("fits");
        // The length of `reason` follows the frame's length, the variant, the rank and the code.
        inbox[LENGTH_BYTES + 10..LENGTH_BYTES + 18].copy_from_slice(&(1_u64 << 60).to_le_bytes());
        assert!(take::<FromNode>(&mut inbox).is_err());
    }

    #[test]
    fn damaged_messages_are_errors_or_other_messages_and_nothing_else() {
        let whole = frame(&FromNode::Hello(Box::new(hello()))).expect("fits");
        for at in LENGTH_BYTES..whole.len() {
            for flip in [1, 0x80, 0xff] {
                let mut inbox = whole.clone();
                inbox[at] ^= flip;
                if let Ok(Some(message)) = take::<FromNode>(&mut inbox) {
                    assert_ne!(message, FromNode::Hello(Box::new(hello())), "byte {at} says nothing");
                }
            }
        }
    }

    #[test]
    fn bytes_after_a_message_in_its_frame_are_refused() {
        let mut inbox = frame(&FromNode::Ready).expect("fits");
        inbox.push(0);
        let length = u32::try_from(inbox.len() - LENGTH_BYTES).expect("small");
        inbox[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        assert!(take::<FromNode>(&mut inbox).is_err());
    }
}
