//! Every bound of this crate by name.

use crate::frame::frame_bytes;

/// Bodies of at least this many bytes are written at once instead of being copied to the queue
/// first: above it a copy costs more than the system call it saves.
pub(crate) const WRITE_THROUGH_BYTES: usize = 16 << 10;

/// A queue of small frames is written when it holds this much, although nobody asked to flush:
/// the peer gets to work while the rest of a large batch is still being made.
pub(crate) const EAGER_BYTES: usize = 64 << 10;

/// A drained queue keeps at most this capacity.
pub(crate) const QUEUE_KEEP_BYTES: usize = 1 << 20;

/// The bytes asked for in one read. Larger frames grow the buffer to their own size.
pub(crate) const READ_BYTES: usize = 256 << 10;

/// The beginning of a frame is moved to the front of the buffer before a read if it is at most
/// this long: cheaper than a read that is cut short by the buffer's end.
pub(crate) const MOVE_BYTES: usize = 4 << 10;

/// Reads per peer and poll until a frame is whole, while each fills all the room it was given, which
/// is the case within large frames. What came is handed out before more is read: who walks through
/// memory asks for the next pages when the first have come.
pub(crate) const READS_PER_TURN: usize = 8;

/// Frames delivered per peer and poll, so that a busy peer cannot starve the others.
pub(crate) const FRAMES_PER_TURN: usize = 64;

/// Pieces of one vectored write: the queue, the header, the padding, and the body's slices.
pub(crate) const WRITE_SLICES_MAX: usize = 64;

/// Up to this many peers are simply read in turn; with more, one `ppoll` finds those that have
/// something to say.
pub(crate) const SCAN_PEERS_MAX: usize = 4;

/// Socket buffers asked for in each direction, where the system permits it.
pub(crate) const SOCKET_BYTES: usize = 4 << 20;

/// Below this system bound the kernel's own sizing of socket buffers does better than a fixed size.
pub(crate) const SOCKET_BYTES_MIN: usize = 1 << 20;

/// The bounds of one transport.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The largest body. A frame that declares more closes its peer before a byte is allocated.
    pub body_bytes_max: u32,
    /// From this many queued bytes on a peer is [congested](crate::Outbox::congested).
    pub queue_bytes_soft: usize,
    /// A peer whose queue would grow beyond this is lost.
    pub queue_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { body_bytes_max: 16 << 20, queue_bytes_soft: 1 << 20, queue_bytes_max: 256 << 20 }
    }
}

impl Limits {
    /// Panics unless a peer that is just not congested can take one more frame of any size.
    pub(crate) fn check(&self) {
        let frame_max = frame_bytes(self.body_bytes_max as usize);
        assert!(
            self.queue_bytes_max >= self.queue_bytes_soft.saturating_add(frame_max),
            "a queue of {} bytes does not hold {} bytes and a frame of {frame_max}",
            self.queue_bytes_max,
            self.queue_bytes_soft,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_consistent() {
        Limits::default().check();
    }

    #[test]
    fn a_queue_without_room_for_a_frame_is_refused() {
        let tight = Limits { body_bytes_max: 100, queue_bytes_soft: 10, queue_bytes_max: 100 };
        assert!(std::panic::catch_unwind(|| tight.check()).is_err());
    }
}
