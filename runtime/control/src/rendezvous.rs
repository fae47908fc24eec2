//! The start of a program: all nodes meet at the launcher, agree, and start together or not at all.
//!
//! | message | from | to | what it does |
//! |---|---|---|---|
//! | `Hello` | node | launcher | says who the node is, what it runs and where it listens |
//! | `Peers` | launcher | node | all nodes are here and agree: where they listen and what memory they share, by rank |
//! | `Ready` | node | launcher | connected to all peers |
//! | `Start` | launcher | node | all nodes are ready |
//! | `Stop` | node | launcher | the node cannot go on |
//! | `Refused` | launcher | node | the program does not start, and why |

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::env::NodeEnv;
use crate::exit;
use crate::secret::{self, AuthError, Purpose, Secret, Stream, left};
use crate::wire::{self, FromLauncher, FromNode};

mod serve;

pub use serve::{Farewell, Missing, ServeError, Stage, serve};

/// Changes with every change of what launcher and nodes say to each other.
pub const PROTOCOL: u32 = 4;

/// Who a node is and what it runs. All but `rank`, `pid`, `host`, `threads`, `listen` and
/// `memory` must be equal on all nodes.
#[derive(Clone, PartialEq, Eq, Debug, bincode::Encode, bincode::Decode)]
pub struct Hello {
    /// [`PROTOCOL`] of the node's build.
    pub protocol: u32,
    /// The node.
    pub rank: u16,
    /// Its process.
    pub pid: u32,
    /// Its host's name.
    pub host: String,
    /// The build-id of the program.
    pub build_id: Vec<u8>,
    /// Numbers that describe the address layout.
    pub layout: [u64; 4],
    /// Addresses of things that must lie at the same place everywhere.
    pub probes: [u64; 8],
    /// Features of the CPU that compiled code may rely on.
    pub cpu: u64,
    /// How many descriptors each node has for itself.
    pub descriptors: u32,
    /// The user threads it offers.
    pub threads: u32,
    /// Where the node accepts its peers, unless they are linked otherwise.
    pub listen: Option<SocketAddr>,
    /// Its memory as files, for peers of the same host that map it.
    pub memory: Option<Files>,
}

/// Descriptors of a node under which its peers find the files behind its memory
/// (`/proc/PID/fd/N`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, bincode::Encode, bincode::Decode)]
pub struct Files {
    /// The heap.
    pub heap: i32,
    /// The stacks of user threads.
    pub stacks: i32,
    /// The shared statics, at node 0.
    pub statics: Option<i32>,
    /// The striped range, at node 0.
    pub striped: Option<i32>,
}

/// What a node must know of another one.
#[derive(Clone, PartialEq, Eq, Debug, bincode::Encode, bincode::Decode)]
pub struct Peer {
    /// Where it accepts its peers, unless they are linked otherwise.
    pub listen: Option<SocketAddr>,
    /// Its process.
    pub pid: u32,
    /// The user threads it offers.
    pub threads: u32,
    /// Its memory.
    pub memory: Option<Files>,
}

/// Why a node does not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The launcher cannot be reached.
    Unreachable {
        /// Where it should be.
        addr: SocketAddr,
        /// What the connection said.
        source: io::Error,
    },
    /// Launcher and node do not trust each other.
    Secret(AuthError),
    /// The launcher does not let the program start.
    Refused {
        /// The status to end with.
        code: i32,
        /// Why, in the launcher's words.
        reason: String,
    },
    /// The launcher left or did not answer in time.
    Lost {
        /// What the node was waiting for.
        waiting_for: &'static str,
        /// What the connection said.
        source: io::Error,
    },
}

impl Error {
    /// The status with which a node ends that finds this.
    pub const fn exit_code(&self) -> i32 {
        match self {
            Error::Unreachable { .. } | Error::Lost { .. } => exit::TIMEOUT,
            Error::Secret(AuthError::Timeout | AuthError::Lost(_)) => exit::TIMEOUT,
            Error::Secret(_) => exit::AUTH,
            Error::Refused { code, .. } => *code,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unreachable { addr, source } => {
                write!(f, "the launcher cannot be reached at {addr}: {source}")
            }
            Error::Secret(source) => write!(f, "the launcher is not trusted: {source}"),
            Error::Refused { reason, .. } => f.write_str(reason),
            Error::Lost { waiting_for, source } => {
                write!(f, "the launcher was lost while waiting for {waiting_for}: {source}")
            }
        }
    }
}

impl std::error::Error for Error {}

/// A node's connection to the launcher.
///
/// Needed until the program starts; dropping it afterwards says nothing to the launcher.
#[derive(Debug)]
pub struct Controller {
    rank: u16,
    stream: TcpStream,
    deadline: Instant,
}

impl std::os::fd::AsFd for Controller {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Controller {
    /// Connects to the launcher and authenticates both ends.
    ///
    /// # Network
    /// 2 RTT. This and the calls that follow return within `env.connect_timeout` of this call.
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::Secret`].
    pub fn connect(env: &NodeEnv, secret: &Secret) -> Result<Controller, Error> {
        let addr = env.controller;
        let unreachable = |source| Error::Unreachable { addr, source };
        let deadline = Instant::now() + env.connect_timeout;
        let wait = left(deadline).map_err(unreachable)?;
        let mut stream = TcpStream::connect_timeout(&addr, wait).map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        secret::client(&mut stream, secret, Purpose::Control, deadline).map_err(Error::Secret)?;
        Ok(Controller { rank: env.rank, stream, deadline })
    }

    /// Says who this node is and waits for all others; returns them by rank.
    ///
    /// # Network
    /// 1 RTT, and as long as the slowest node takes.
    ///
    /// # Errors
    /// [`Error::Refused`] with code 66 when two nodes do not agree.
    pub fn hello(&mut self, hello: &Hello) -> Result<Vec<Peer>, Error> {
        self.send(&FromNode::Hello(Box::new(hello.clone())))?;
        match self.receive("the other nodes")? {
            FromLauncher::Peers(peers) => Ok(peers),
            FromLauncher::Refused { code, reason } => Err(Error::Refused { code, reason }),
            FromLauncher::Start => Err(unexpected("the other nodes")),
        }
    }

    /// Says that this node is connected to its peers and waits until all are.
    ///
    /// # Network
    /// 1 RTT, and as long as the slowest node takes.
    ///
    /// # Errors
    /// [`Error::Refused`] when another node gave up.
    pub fn ready_and_wait_start(&mut self) -> Result<(), Error> {
        self.send(&FromNode::Ready)?;
        match self.receive("the start")? {
            FromLauncher::Start => {
                let lost = |source| Error::Lost { waiting_for: "the start", source };
                self.stream.set_timeout(None).map_err(lost)
            }
            FromLauncher::Refused { code, reason } => Err(Error::Refused { code, reason }),
            FromLauncher::Peers(_) => Err(unexpected("the start")),
        }
    }

    /// Waits to be told why the program does not start, when a peer has left: the launcher knows, or finds out.
    ///
    /// # Network
    /// No message; as long as the launcher takes.
    pub fn wait_refused(&mut self) -> Error {
        let waiting_for = "the reason why a peer left";
        match self.receive(waiting_for) {
            Ok(FromLauncher::Refused { code, reason }) => Error::Refused { code, reason },
            Ok(FromLauncher::Peers(_) | FromLauncher::Start) => unexpected(waiting_for),
            Err(error) => error,
        }
    }

    /// Tells the launcher that this node cannot go on, so that no node starts.
    ///
    /// # Network
    /// One message.
    ///
    /// # Errors
    /// When the launcher is gone.
    pub fn stop(&mut self, code: i32, reason: &str) -> Result<(), Error> {
        self.send(&FromNode::Stop { rank: self.rank, code, reason: reason.to_owned() })
    }

    fn send(&mut self, message: &FromNode) -> Result<(), Error> {
        wire::send(&mut self.stream, message, self.deadline)
            .map_err(|source| Error::Lost { waiting_for: "the launcher to listen", source })
    }

    fn receive(&mut self, waiting_for: &'static str) -> Result<FromLauncher, Error> {
        wire::receive(&mut self.stream, self.deadline).map_err(|source| Error::Lost { waiting_for, source })
    }
}

fn unexpected(waiting_for: &'static str) -> Error {
    Error::Lost { waiting_for, source: io::Error::new(io::ErrorKind::InvalidData, "it said something else") }
}
