//! Every node connected to every other.
//!
//! Node i connects to all lower ranks in order, then accepts the higher ones. Each connection
//! starts with the challenge-response of [`crate::secret`]; then the ends say who they are:
//!
//! | message | from | to | bytes |
//! |---|---|---|---|
//! | rank | higher | lower | own rank (u16), rank of the peer it wants (u16) |
//! | rank | lower | higher | own rank (u16), rank of the peer it accepted (u16) |
//!
//! Progress: node 0 only accepts; node i waits for nodes below i, which by induction come to accept.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::env::Reach;
use crate::exit;
use crate::poll::{Lobby, Verdict, Visit};
use crate::secret::{self, AuthError, Purpose, Secret, Stream, left, read_by, write_by};

const RANKS_BYTES: usize = 4;

/// Why a node is not connected to all others.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Nobody accepts at the peer's address.
    Unreachable {
        /// The peer.
        peer: u16,
        /// Its address.
        addr: SocketAddr,
        /// What the connection said.
        source: io::Error,
    },
    /// The peer could not be authenticated.
    Auth {
        /// The peer.
        peer: u16,
        /// What went wrong.
        source: AuthError,
    },
    /// Another node than expected lives at the peer's address.
    WrongPeer {
        /// The peer that was wanted.
        peer: u16,
        /// The rank that answered.
        found: u16,
    },
    /// Peers that did not connect in time.
    Missing {
        /// Their ranks.
        peers: Vec<u16>,
    },
    /// The listener failed.
    Listener(io::Error),
}

impl Error {
    /// The status with which a node ends that finds this.
    pub const fn exit_code(&self) -> i32 {
        match self {
            Error::Unreachable { .. } | Error::Missing { .. } => exit::TIMEOUT,
            Error::Auth { source: AuthError::Timeout | AuthError::Lost(_), .. } => exit::TIMEOUT,
            Error::Auth { .. } => exit::AUTH,
            Error::WrongPeer { .. } => exit::INTERNAL,
            Error::Listener(_) => exit::PORT,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unreachable { peer, addr, source } => {
                write!(f, "node {peer} cannot be reached at {addr}: {source}")
            }
            Error::Auth { peer, source } => write!(f, "node {peer} is not trusted: {source}"),
            Error::WrongPeer { peer, found } => {
                write!(f, "node {found} answers at the address of node {peer}")
            }
            Error::Missing { peers } => write!(f, "nodes {peers:?} did not connect in time"),
            Error::Listener(error) => write!(f, "cannot accept connections of other nodes: {error}"),
        }
    }
}

impl std::error::Error for Error {}

/// A listener where `reach` says: on the loopback interface, unless there are other hosts.
///
/// # Errors
/// When there is no free port, or the address is not this host's.
pub fn listen(reach: &Reach) -> io::Result<TcpListener> {
    crate::ports::listen(reach.listen.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), reach.ports)
}

/// Connects node `me` to all others, whose listeners are at `peers` (by rank, `me` included).
///
/// The streams are blocking, without delay and without timeouts; the place of `me` is `None`.
/// Connections of strangers are dropped and change nothing.
///
/// # Network
/// 2 RTT a peer. Returns by `timeout`.
///
/// # Errors
/// When a peer does not come, or is not who it should be.
pub fn connect(
    me: u16,
    listener: &TcpListener,
    peers: &[SocketAddr],
    secret: &Secret,
    timeout: Duration,
) -> Result<Vec<Option<TcpStream>>, Error> {
    let deadline = Instant::now() + timeout;
    let mut streams: Vec<Option<TcpStream>> = peers.iter().map(|_| None).collect();
    for (peer, &addr) in (0..me).zip(peers) {
        streams[usize::from(peer)] = Some(dial(me, peer, addr, secret, deadline)?);
    }
    accept_higher(me, listener, secret, deadline, &mut streams)?;
    Ok(streams)
}

fn dial(
    me: u16,
    peer: u16,
    addr: SocketAddr,
    secret: &Secret,
    deadline: Instant,
) -> Result<TcpStream, Error> {
    let unreachable = |source| Error::Unreachable { peer, addr, source };
    let wait = left(deadline).map_err(unreachable)?;
    let mut stream = TcpStream::connect_timeout(&addr, wait).map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    secret::client(&mut stream, secret, Purpose::Mesh, deadline)
        .map_err(|source| Error::Auth { peer, source })?;

    let mut answer = [0; RANKS_BYTES];
    write_by(&mut stream, &ranks(me, peer), deadline).map_err(unreachable)?;
    read_by(&mut stream, &mut answer, deadline).map_err(unreachable)?;
    stream.set_timeout(None).map_err(unreachable)?;
    if answer != ranks(peer, me) {
        return Err(Error::WrongPeer { peer, found: u16::from_le_bytes([answer[0], answer[1]]) });
    }
    Ok(stream)
}

fn accept_higher(
    me: u16,
    listener: &TcpListener,
    secret: &Secret,
    deadline: Instant,
    streams: &mut [Option<TcpStream>],
) -> Result<(), Error> {
    let mut lobby = Lobby::new(listener, secret, Purpose::Mesh).map_err(Error::Listener)?;
    loop {
        let missing: Vec<u16> =
            (0..).zip(&*streams).filter(|(k, s)| *k > me && s.is_none()).map(|(k, _)| k).collect();
        if missing.is_empty() {
            return listener.set_nonblocking(false).map_err(Error::Listener);
        }
        let Ok(wait) = left(deadline) else { return Err(Error::Missing { peers: missing }) };
        let mut arrived = Vec::new();
        lobby
            .turn(wait.min(Duration::from_secs(1)), |seat, visit| {
                let Visit::Speaks(guest) = visit else { return Verdict::Leave };
                let Ok(said) = <[u8; RANKS_BYTES]>::try_from(&*guest.inbox) else {
                    return if guest.inbox.len() < RANKS_BYTES { Verdict::Keep } else { Verdict::Leave };
                };
                let peer = u16::from_le_bytes([said[0], said[1]]);
                let wanted = missing.contains(&peer) && !arrived.iter().any(|&(_, other)| other == peer);
                if !wanted || said != ranks(peer, me) || guest.send(&ranks(me, peer)).is_err() {
                    return Verdict::Leave;
                }
                arrived.push((seat, peer));
                Verdict::Keep
            })
            .map_err(Error::Listener)?;
        for (seat, peer) in arrived {
            if let Some(guest) = lobby.take(seat) {
                streams[usize::from(peer)] = Some(guest.into_stream().map_err(Error::Listener)?);
            }
        }
    }
}

fn ranks(from: u16, to: u16) -> [u8; RANKS_BYTES] {
    let ([a, b], [c, d]) = (from.to_le_bytes(), to.to_le_bytes());
    [a, b, c, d]
}
