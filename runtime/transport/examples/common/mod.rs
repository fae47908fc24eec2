//! What the examples share: the loop of an engine, and frames.

use dstd_transport::wait::{Idle, Waiter};
use dstd_transport::{Event, HEADER_BYTES, Header, Outbox, Transport, set_body_bytes};

/// One round of an engine loop; returns the bytes that still wait to be written.
pub(crate) fn step<T: Transport>(
    node: &mut T,
    waiter: &mut Waiter,
    sink: &mut dyn FnMut(&mut dyn Outbox, Event<'_>),
) -> usize {
    let events = node.poll(sink);
    let waiting = node.flush();
    if events > 0 {
        waiter.active();
    } else if waiter.idle() == Idle::Sleep {
        let mut fds = Vec::new();
        node.fds(&mut fds);
        waiter.sleep(&mut fds, None).expect("the descriptors are open");
    }
    waiting
}

/// The header of a frame with a body of so many bytes.
pub(crate) fn header(body: usize) -> Header {
    let mut header = [0; HEADER_BYTES];
    set_body_bytes(&mut header, u32::try_from(body).expect("bodies are small"));
    header
}
