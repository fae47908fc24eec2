//! The connections between this node and all others, by transport.
//!
//! | transport | before the hello | after it |
//! |---|---|---|
//! | tcp | listen | connect to lower ranks, accept higher ones; both prove that they know the secret |
//! | shm | take over the sockets that the launcher has made | offer a link to higher ranks, then accept those of lower ones |
//!
//! An offer never waits: it makes memory and a pair of sockets, and leaves one end and both ranks in the socket. An
//! acceptor waits for what a lower rank leaves, which has nothing to wait for before. So nobody waits in a circle. The
//! sockets of the launcher have no other holders than the two nodes (and are closed when the link is set up), so a node that
//! dies in between is heard of at once, and one that does nothing at the end of `--connect-timeout`. Whoever hears of a
//! death leaves it to the launcher to say what it was.
//!
//! *Why not safe code*: descriptors by number.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use dstd_addr::NodeId;
use dstd_control::env::NodeEnv;
use dstd_control::rendezvous::{Controller, Error, Peer};
use dstd_control::secret::Secret;
use dstd_control::{exit, mesh};
use dstd_protocol::limits::SHIP_BYTES_MAX;
use dstd_transport::shm::{self, LinkEnd, Shm, Sizes};
use dstd_transport::tcp::Tcp;
use dstd_transport::{Limits, Transport};

use super::cluster::give_up;
use crate::fatal::{self, stop};
use crate::interpose::fd::adopt;

/// Why there are no connections, and the code to end with.
#[derive(Debug)]
pub(super) struct Failure {
    code: i32,
    reason: String,
    /// A peer has left, so the reason is there.
    elsewhere: bool,
}

impl Failure {
    pub(super) fn new(code: i32, reason: impl Into<String>) -> Failure {
        Failure { code, reason: reason.into(), elsewhere: false }
    }

    /// It comes, if `left`, from a peer that has left.
    pub(super) fn because_of_a_peer(self, left: bool) -> Failure {
        Failure { elsewhere: left, ..self }
    }

    /// Ends this node before the program has started.
    pub(super) fn end(self, controller: &mut Controller) -> ! {
        // What the launcher says, it says to everybody, and it has the root cause.
        if self.elsewhere
            && let Error::Refused { code, reason } = controller.wait_refused()
        {
            stop!(code, "{reason}");
        }
        give_up(controller, self.code, &self.reason)
    }
}

/// How this node will be connected.
pub(super) enum Meeting {
    /// Where it accepts its peers.
    Listener(TcpListener),
    /// A socket to each peer, by rank.
    Sockets(Vec<Option<UnixStream>>),
}

impl Meeting {
    /// Prepares what the launcher has chosen. The node's range of descriptors is set.
    pub(super) fn prepare(environment: &NodeEnv) -> Result<Meeting, Failure> {
        if let Some(fds) = &environment.link_fds {
            let mut fds = fds.iter().peekable();
            let mut socket = |rank| match fds.next_if(|_| rank != environment.rank) {
                // SAFETY: the launcher passes the descriptor for this use only.
                Some(&fd) => unsafe { adopt(fd) }.map(|fd| Some(UnixStream::from(fd))),
                None => Ok(None),
            };
            let sockets = (0..environment.size).map(&mut socket).collect::<io::Result<_>>();
            return sockets.map(Meeting::Sockets).map_err(|error| {
                Failure::new(fatal::CANNOT, format!("cannot use the sockets to the other nodes: {error}"))
            });
        }
        mesh::listen(&environment.reach)
            .map(Meeting::Listener)
            .map_err(|error| Failure::new(exit::PORT, format!("cannot listen for the other nodes: {error}")))
    }

    /// Where the peers find this node.
    pub(super) fn address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Meeting::Listener(listener) => listener.local_addr().map(Some),
            Meeting::Sockets(_) => Ok(None),
        }
    }

    /// Connects node `me` to all `peers` (by rank, `me` included), within `timeout`.
    pub(super) fn connect(
        self,
        me: NodeId,
        peers: &[Peer],
        secret: &Secret,
        timeout: Duration,
    ) -> Result<Box<dyn Transport + Send>, Failure> {
        let limits = Limits { body_bytes_max: SHIP_BYTES_MAX, ..Limits::default() };
        match self {
            Meeting::Listener(listener) => {
                let addresses: Option<Vec<_>> = peers.iter().map(|peer| peer.listen).collect();
                let addresses = addresses.ok_or_else(|| {
                    Failure::new(fatal::USAGE, "some nodes were told to use another transport than this one")
                })?;
                let streams = mesh::connect(me.0, &listener, &addresses, secret, timeout)
                    .map_err(|error| Failure::new(error.exit_code(), error.to_string()))?;
                let tcp = Tcp::with_limits(me, streams, limits).map_err(|error| {
                    Failure::new(fatal::INTERNAL, format!("cannot use the connections: {error}"))
                })?;
                Ok(Box::new(tcp))
            }
            Meeting::Sockets(sockets) => {
                let links = link_all(me, sockets, Instant::now() + timeout)?;
                let shm = Shm::with_limits(me, links, limits)
                    .map_err(|error| no_memory("cannot map the memory shared with other nodes", &error))?;
                Ok(Box::new(shm))
            }
        }
    }
}

/// Sets up a link over each socket.
fn link_all(
    me: NodeId,
    mut sockets: Vec<Option<UnixStream>>,
    deadline: Instant,
) -> Result<Vec<Option<LinkEnd>>, Failure> {
    let sizes = Sizes::for_nodes(sockets.len());
    let mut links: Vec<Option<LinkEnd>> = sockets.iter().map(|_| None).collect();
    for rank in (me.0 + 1..).take(sockets.len() - usize::from(me.0) - 1) {
        if let Some(socket) = &sockets[usize::from(rank)] {
            links[usize::from(rank)] = Some(offer(socket, me, NodeId(rank), sizes)?);
        }
    }
    for rank in 0..me.0 {
        if let Some(socket) = sockets[usize::from(rank)].take() {
            links[usize::from(rank)] = Some(accept(&socket, me, NodeId(rank), deadline)?);
        }
    }
    Ok(links)
}

/// Makes a link and leaves its other end, with who is to have it, to the peer.
fn offer(mut socket: &UnixStream, me: NodeId, peer: NodeId, sizes: Sizes) -> Result<LinkEnd, Failure> {
    let offered = shm::offer(socket, sizes).and_then(|link| {
        socket.write_all(&ranks(me, peer))?;
        Ok(link)
    });
    offered.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => gone(peer),
        _ => no_memory(&format!("cannot share memory with node {peer}"), &error),
    })
}

/// Waits for the link that the peer offers.
fn accept(mut socket: &UnixStream, me: NodeId, peer: NodeId, deadline: Instant) -> Result<LinkEnd, Failure> {
    let mut said = [0; 4];
    let accepted = wait_until(socket, deadline).and_then(|()| shm::accept(socket)).and_then(|link| {
        wait_until(socket, deadline)?;
        socket.read_exact(&mut said)?;
        Ok(link)
    });
    match accepted {
        Ok(link) if said == ranks(peer, me) => Ok(link),
        Ok(_) => {
            Err(Failure::new(fatal::INTERNAL, format!("another node answers in the place of node {peer}")))
        }
        Err(error) => Err(match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => gone(peer),
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Failure::new(
                exit::TIMEOUT,
                format!("node {peer} did not share memory in time (--connect-timeout)"),
            ),
            _ => no_memory(&format!("cannot take the memory that node {peer} shares"), &error),
        }),
    }
}

/// Bounds the next read of `socket`.
fn wait_until(socket: &UnixStream, deadline: Instant) -> io::Result<()> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(ErrorKind::TimedOut.into()),
        wait => socket.set_read_timeout(Some(wait)),
    }
}

fn ranks(from: NodeId, to: NodeId) -> [u8; 4] {
    let ([a, b], [c, d]) = (from.0.to_le_bytes(), to.0.to_le_bytes());
    [a, b, c, d]
}

fn gone(peer: NodeId) -> Failure {
    let reason = format!("node {peer} left before it was connected");
    Failure::new(exit::TIMEOUT, reason).because_of_a_peer(true)
}

/// What this host cannot give, and what to do about it.
fn no_memory(what: &str, error: &io::Error) -> Failure {
    let advice = match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => "raise the limit of descriptors (ulimit -Hn)",
        Some(libc::ENOMEM | libc::ENOSPC | libc::EFBIG) => {
            "allow more shared memory (the container's limit, vm.overcommit_memory, ulimit -v)"
        }
        _ => "allow memfd_create, sealing and Unix sockets",
    };
    Failure::new(fatal::CANNOT, format!("{what}: {error}: {advice}, or run with --transport tcp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (UnixStream, UnixStream) {
        UnixStream::pair().unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    fn late() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn what_is_offered_is_accepted() {
        let (one, two) = pair();
        let sizes = Sizes::for_nodes(2);
        offer(&one, NodeId(0), NodeId(1), sizes).unwrap();
        assert_eq!(accept(&two, NodeId(1), NodeId(0), late()).unwrap().sizes(), sizes);
    }

    #[test]
    fn a_peer_that_says_nothing_ends_the_wait_with_69() {
        let (_one, two) = pair();
        let failure = accept(&two, NodeId(1), NodeId(0), soon()).err().unwrap();
        assert_eq!(failure.code, exit::TIMEOUT);
        assert!(failure.reason.contains("--connect-timeout"), "{failure:?}");
        let failure = accept(&two, NodeId(1), NodeId(0), Instant::now()).err().unwrap();
        assert_eq!(failure.code, exit::TIMEOUT);
    }

    #[test]
    fn a_peer_that_is_gone_is_said_so_on_both_sides() {
        let (one, two) = pair();
        drop(one);
        let failure = accept(&two, NodeId(1), NodeId(0), late()).err().unwrap();
        assert_eq!((failure.code, failure.reason.contains("node 0 left")), (exit::TIMEOUT, true));
        let failure = offer(&two, NodeId(1), NodeId(2), Sizes::for_nodes(3)).err().unwrap();
        assert_eq!((failure.code, failure.reason.contains("node 2 left")), (exit::TIMEOUT, true));
        let (one, two) = pair();
        shm::offer(&one, Sizes::for_nodes(2)).unwrap();
        drop(one);
        let failure = accept(&two, NodeId(1), NodeId(0), late()).err().unwrap();
        assert_eq!(failure.code, exit::TIMEOUT, "it left between the link and its rank");
    }

    #[test]
    fn a_link_for_another_node_is_refused() {
        let (one, two) = pair();
        offer(&one, NodeId(0), NodeId(1), Sizes::for_nodes(3)).unwrap();
        assert_eq!(accept(&two, NodeId(2), NodeId(0), late()).err().unwrap().code, fatal::INTERNAL);
    }

    #[test]
    fn what_is_missing_is_named_with_a_way_out() {
        for (errno, advice) in
            [(libc::EMFILE, "ulimit -Hn"), (libc::ENOMEM, "shared memory"), (libc::EPERM, "memfd_create")]
        {
            let failure = no_memory("cannot", &io::Error::from_raw_os_error(errno));
            assert_eq!(failure.code, fatal::CANNOT);
            assert!(
                failure.reason.contains(advice) && failure.reason.contains("--transport tcp"),
                "{failure:?}"
            );
        }
    }
}
