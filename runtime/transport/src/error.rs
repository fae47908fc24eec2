//! Why a frame was refused and why a peer is gone.

use std::{fmt, io};

use dstd_addr::NodeId;

/// Why a frame was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The peer is gone or was never connected. If it was, the reason comes (or came) with its
    /// [`Closed`](crate::Event::Closed) event.
    Lost(NodeId),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Lost(peer) => write!(f, "node {peer} is lost, nothing can be sent to it"),
        }
    }
}

impl std::error::Error for SendError {}

/// How the connection to a peer ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer closed between two frames and nothing failed before.
    Clean,
    /// The peer closed in the middle of a frame; the part that came is dropped.
    MidFrame,
    /// The peer declared a body larger than [`Limits::body_bytes_max`](crate::Limits).
    Malformed {
        /// What its header said.
        declared: u32,
        /// What is permitted.
        max: u32,
    },
    /// The peer did not read for so long that its queue would have outgrown
    /// [`Limits::queue_bytes_max`](crate::Limits).
    Overflow {
        /// Bytes that waited.
        queued: usize,
        /// What is permitted.
        max: usize,
    },
    /// The connection failed, often because the peer's process died.
    Io(io::Error),
}

impl CloseReason {
    /// Whether the peer ended the conversation in good order.
    pub fn is_clean(&self) -> bool {
        matches!(self, CloseReason::Clean)
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseReason::Clean => f.write_str("the peer closed the connection"),
            CloseReason::MidFrame => f.write_str("the peer closed the connection in the middle of a frame"),
            CloseReason::Malformed { declared, max } => {
                write!(f, "the peer announced a body of {declared} bytes, {max} are permitted")
            }
            CloseReason::Overflow { queued, max } => {
                write!(f, "the peer did not read: {queued} bytes are waiting for it, {max} are permitted")
            }
            CloseReason::Io(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl std::error::Error for CloseReason {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CloseReason::Io(error) => Some(error),
            _ => None,
        }
    }
}
