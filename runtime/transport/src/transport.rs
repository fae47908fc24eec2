//! What every transport promises.

use std::io::IoSlice;

use dstd_addr::{NodeId, NodeSet};

use crate::{CloseReason, Header, Limits, SendError};

/// The sending half of a [`Transport`].
///
/// It is a trait of its own because a sink gets it while a received body is still borrowed: an
/// engine can answer a frame, in order, before it looks at the next one.
pub trait Outbox {
    /// Takes one frame for `to`: `header` and the bytes of `body`, one slice after the other.
    ///
    /// All bytes are taken before it returns, written or copied (XPORT-3: the transport never
    /// keeps a borrow), so the caller may change or unmap them at once. Frames to one peer arrive
    /// in the order of their sends, each at most once (XPORT-1). Small frames are queued until
    /// [`flush`](Outbox::flush); large ones may be written through at once, behind the queue.
    /// Never blocks. `Ok` means taken, not arrived: only the peer's answer says that.
    ///
    /// # Errors
    /// [`SendError::Lost`] when the peer is closed, fails now, or its queue would outgrow
    /// [`Limits::queue_bytes_max`]. The frame is then dropped, and so are queued ones.
    ///
    /// # Panics
    /// When the length in the header is not that of the slices, exceeds
    /// [`Limits::body_bytes_max`], or `to` is this node.
    fn send(&mut self, to: NodeId, header: &Header, body: &[IoSlice<'_>]) -> Result<(), SendError>;

    /// Writes what the kernel (or the device) takes now, and returns the bytes that still wait, of
    /// all peers together.
    ///
    /// Never blocks. A write that fails is reported by the peer's [`Event::Closed`].
    fn flush(&mut self) -> usize;

    /// Whether [`Limits::queue_bytes_soft`] is reached for `peer`.
    ///
    /// A congested peer still takes frames: answers that the protocol owes must go out, or two
    /// nodes could wait for each other. But the caller should begin no new work for it.
    fn congested(&self, peer: NodeId) -> bool;
}

/// Moves frames between this node and its peers; one thread owns it.
///
/// A frame is a [`Header`], opaque but for the length of the body, and the body. The transport
/// knows nothing of what they mean.
pub trait Transport: Outbox {
    /// Hands what has arrived to `sink`, and returns the number of events.
    ///
    /// Never blocks, does a bounded amount of work, and serves peers in turn, so that none can
    /// starve another. A frame is handed over when all of its bytes are there (XPORT-2), in the
    /// order of its peer's sends (XPORT-1). Zero events means that nothing was ready: only then
    /// may the caller sleep on [`fds`](Transport::fds), since received frames may wait inside.
    ///
    /// Does not flush: what the sink sent waits for the next [`flush`](Outbox::flush).
    fn poll(&mut self, sink: &mut dyn FnMut(&mut dyn Outbox, Event<'_>)) -> usize;

    /// Appends the descriptors to sleep on: readable when there is something to poll, and, while
    /// bytes are queued, writable when there is something to flush.
    ///
    /// A transport that must be polled to make progress appends none.
    fn fds(&self, into: &mut Vec<libc::pollfd>);

    /// The peers that can still be sent to.
    fn peers(&self) -> NodeSet;

    /// The bounds this transport was made with.
    fn limits(&self) -> Limits;
}

/// Something that arrived.
#[derive(Debug)]
pub enum Event<'a> {
    /// A whole frame.
    Frame {
        /// Who sent it.
        from: NodeId,
        /// Its header as sent.
        header: &'a Header,
        /// Its body in one piece, starting at a multiple of 8. The bytes are the transport's
        /// again when the sink returns.
        body: &'a [u8],
    },
    /// A peer is gone. Comes once for each, after the last of its frames; nothing can be sent to
    /// it any more.
    Closed {
        /// Who is gone.
        peer: NodeId,
        /// How it went.
        why: CloseReason,
    },
}
