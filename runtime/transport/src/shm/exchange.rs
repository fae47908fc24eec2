//! Handing one end of a link to another process, over a Unix socket that connects the two.

use std::io;
use std::os::unix::net::UnixStream;

use dstd_addr::NodeId;

use super::end::LinkEnd;
use super::layout::Sizes;
use super::link::malformed;
use super::sys;

/// What the descriptors travel with: they need at least one byte, and this tells an end of a link
/// from anything else.
const GREETING: [u8; 8] = *b"shm link";

/// Makes a link, sends its second end over `stream` and returns the first.
///
/// # Errors
/// Those of [`LinkEnd::pair`] and of sending.
pub fn offer(stream: &UnixStream, sizes: Sizes) -> io::Result<LinkEnd> {
    let (mine, theirs) = LinkEnd::pair(sizes)?;
    let (memory, socket) = theirs.into_fds();
    sys::send_fds(stream, &GREETING, [&memory, &socket])?;
    Ok(mine)
}

/// Receives the second end of a link that the peer [offers](offer); waits for it, on a blocking
/// stream. Whoever holds the other end of `stream` is trusted to be the peer, not to be right.
///
/// # Errors
/// When something else comes, or what comes is refused by [`LinkEnd::from_fds`].
pub fn accept(stream: &UnixStream) -> io::Result<LinkEnd> {
    let mut greeting = [0; GREETING.len()];
    let [memory, socket] = sys::receive_fds(stream, &mut greeting)?;
    if greeting != GREETING {
        return Err(malformed("the peer sent something else than the end of a link"));
    }
    LinkEnd::from_fds(false, memory, socket)
}

/// Sets up the link between `me` and `peer`, who calls this as well: the lower rank
/// [offers](offer), the other [accepts](accept), whatever sizes it would have chosen.
///
/// # Errors
/// As those.
///
/// # Panics
/// When both are the same node.
pub fn exchange(stream: &UnixStream, me: NodeId, peer: NodeId, sizes: Sizes) -> io::Result<LinkEnd> {
    assert_ne!(me, peer, "a node needs no link to itself");
    if me < peer { offer(stream, sizes) } else { accept(stream) }
}
