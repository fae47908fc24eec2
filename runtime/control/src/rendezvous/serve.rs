//! The launcher's half of the start.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Hello, Peer};
use crate::exit;
use crate::poll::{Lobby, Verdict, Visit};
use crate::secret::{Purpose, Secret, left};
use crate::wire::{self, FromLauncher, FromNode};

/// How often a wait looks whether it was called off.
const TICK: Duration = Duration::from_millis(20);
/// How long nodes that were refused may take to leave.
const SEE_OFF: Duration = Duration::from_millis(500);

/// How far a node has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// It has not said hello.
    Absent,
    /// It has said hello and is not connected to all its peers.
    Connecting,
    /// It is ready to start.
    Ready,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Absent => "did not join",
            Stage::Connecting => "joined, did not connect to its peers",
            Stage::Ready => "ready",
        })
    }
}

/// Where all nodes stood when the time was over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// Each node's stage, by rank.
    pub stages: Vec<Stage>,
    /// Connections that did not prove that they know the secret.
    pub strangers: u32,
}

/// Why no program starts.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// Nodes do not agree, or one gave up.
    Refused {
        /// The status for everybody to end with.
        code: i32,
        /// The node that gave up; `None` when the launcher found the reason.
        node: Option<u16>,
        /// Why.
        reason: String,
    },
    /// Not everybody was ready in time.
    Missing(Missing),
    /// The caller called it off.
    CalledOff,
    /// The listener failed.
    Listener(io::Error),
}

impl ServeError {
    /// The launcher's exit status.
    pub const fn exit_code(&self) -> i32 {
        match self {
            ServeError::Refused { code, .. } => *code,
            ServeError::Missing(_) => exit::TIMEOUT,
            ServeError::CalledOff => exit::INTERNAL,
            ServeError::Listener(_) => exit::PORT,
        }
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Refused { node: Some(node), reason, .. } => write!(f, "node {node}: {reason}"),
            ServeError::Refused { node: None, reason, .. } => f.write_str(reason),
            ServeError::Missing(missing) => {
                let late = missing.stages.iter().filter(|&&stage| stage < Stage::Ready).count();
                write!(f, "{late} of {} nodes were not ready in time", missing.stages.len())
            }
            ServeError::CalledOff => f.write_str("the start was called off"),
            ServeError::Listener(error) => write!(f, "cannot accept connections of nodes: {error}"),
        }
    }
}

impl std::error::Error for ServeError {}

/// Brings `size` nodes together; returns what they said of themselves, by rank, once all have been
/// told to start.
///
/// `called_off` ends the wait within a few ticks.
///
/// # Network
/// Two rounds of messages with every node. Returns by `deadline`.
///
/// # Errors
/// When not all nodes come, or they do not agree. Those that came still wait for the answer: see
/// [`Farewell`].
pub fn serve<'a>(
    listener: &'a TcpListener,
    secret: &'a Secret,
    size: u16,
    deadline: Instant,
    called_off: &AtomicBool,
) -> Result<Vec<Hello>, (ServeError, Farewell<'a>)> {
    let mut lobby = match Lobby::new(listener, secret, Purpose::Control) {
        Ok(lobby) => lobby,
        Err(error) => return Err((ServeError::Listener(error), Farewell { waiting: None })),
    };
    let mut roll = Roll::new(size);
    gather(&mut lobby, &mut roll, deadline, called_off).map_err(|error| {
        let refused = FromLauncher::Refused { code: error.exit_code(), reason: error.to_string() };
        (error, Farewell { waiting: Some((lobby, refused)) })
    })
}

/// The nodes that came in vain and do not know it yet.
#[must_use]
pub struct Farewell<'a> {
    waiting: Option<(Lobby<'a>, FromLauncher)>,
}

impl Farewell<'_> {
    /// Tells everybody who is here, and who still comes in a moment, that the program does not
    /// start, and waits for them to go: closing first would throw away what they have not read yet.
    ///
    /// # Network
    /// One message to every node. Returns within half a second after the last was sent.
    ///
    /// # Errors
    /// When the listener fails.
    pub fn tell(self) -> io::Result<()> {
        let Some((mut lobby, refused)) = self.waiting else { return Ok(()) };
        let bytes = wire::frame(&refused)?;
        lobby.tell_all(&bytes);
        let deadline = Instant::now() + SEE_OFF;
        while lobby.has_trusted() && Instant::now() < deadline {
            lobby.turn(TICK, |_, visit| match visit {
                Visit::Speaks(guest) => {
                    guest.inbox.clear();
                    if guest.send(&bytes).is_ok() { Verdict::Keep } else { Verdict::Leave }
                }
                Visit::Left => Verdict::Leave,
            })?;
        }
        Ok(())
    }
}

fn gather(
    lobby: &mut Lobby<'_>,
    roll: &mut Roll,
    deadline: Instant,
    called_off: &AtomicBool,
) -> Result<Vec<Hello>, ServeError> {
    let mut peers_told = false;
    loop {
        // Relaxed: the flag carries nothing but itself.
        if called_off.load(Ordering::Relaxed) {
            return Err(ServeError::CalledOff);
        }
        let Ok(wait) = left(deadline) else {
            let missing = Missing { stages: roll.stages.clone(), strangers: lobby.dropped() };
            return Err(ServeError::Missing(missing));
        };
        let mut trouble = None;
        lobby
            .turn(wait.min(TICK), |seat, visit| match roll.visit(seat, visit) {
                Ok(verdict) => verdict,
                Err(error) => {
                    trouble.get_or_insert(error);
                    Verdict::Keep
                }
            })
            .map_err(ServeError::Listener)?;
        if let Some(error) = trouble {
            return Err(error);
        }
        if !peers_told && roll.all(Stage::Connecting) {
            roll.check_agreement()?;
            tell_all(lobby, &FromLauncher::Peers(roll.peers()))?;
            peers_told = true;
        }
        if roll.all(Stage::Ready) {
            tell_all(lobby, &FromLauncher::Start)?;
            return Ok(std::mem::take(&mut roll.hellos).into_iter().flatten().collect());
        }
    }
}

fn tell_all(lobby: &mut Lobby<'_>, message: &FromLauncher) -> Result<(), ServeError> {
    lobby.tell_all(&wire::frame(message).map_err(ServeError::Listener)?);
    Ok(())
}

/// Who is here, and how far.
struct Roll {
    stages: Vec<Stage>,
    hellos: Vec<Option<Hello>>,
    seats: BTreeMap<usize, u16>,
}

impl Roll {
    fn new(size: u16) -> Roll {
        let size = usize::from(size);
        Roll { stages: vec![Stage::Absent; size], hellos: vec![None; size], seats: BTreeMap::new() }
    }

    fn all(&self, stage: Stage) -> bool {
        self.stages.iter().all(|&reached| reached >= stage)
    }

    fn peers(&self) -> Vec<Peer> {
        let peer = |hello: &Hello| Peer {
            listen: hello.listen,
            pid: hello.pid,
            threads: hello.threads,
            memory: hello.memory,
        };
        self.hellos.iter().flatten().map(peer).collect()
    }

    fn visit(&mut self, seat: usize, visit: Visit<'_>) -> Result<Verdict, ServeError> {
        let guest = match visit {
            Visit::Speaks(guest) => guest,
            Visit::Left => {
                self.left(seat);
                return Ok(Verdict::Leave);
            }
        };
        loop {
            match wire::take::<FromNode>(&mut guest.inbox) {
                Ok(Some(message)) => self.hear(seat, message)?,
                Ok(None) => return Ok(Verdict::Keep),
                // It knows the secret and speaks nonsense: another version of the protocol.
                Err(error) => {
                    let reason = format!("{error}: is the program built with this version of dstd?");
                    let node = self.seats.get(&seat).copied();
                    return Err(ServeError::Refused { code: exit::VERSION, node, reason });
                }
            }
        }
    }

    /// A node that goes before the start is absent again: whoever started it knows why.
    fn left(&mut self, seat: usize) {
        if let Some(rank) = self.seats.remove(&seat) {
            self.stages[usize::from(rank)] = Stage::Absent;
            self.hellos[usize::from(rank)] = None;
        }
    }

    fn hear(&mut self, seat: usize, message: FromNode) -> Result<(), ServeError> {
        let node = self.seats.get(&seat).copied();
        match (message, node) {
            (FromNode::Hello(hello), None) => self.welcome(seat, *hello),
            (FromNode::Ready, Some(rank)) => {
                self.stages[usize::from(rank)] = Stage::Ready;
                Ok(())
            }
            (FromNode::Stop { rank, code, reason }, _) => {
                Err(ServeError::Refused { code, node: Some(rank), reason })
            }
            (FromNode::Hello(_), Some(_)) | (FromNode::Ready, None) => {
                let reason = "a message out of order".to_owned();
                Err(ServeError::Refused { code: exit::INTERNAL, node, reason })
            }
        }
    }

    fn welcome(&mut self, seat: usize, hello: Hello) -> Result<(), ServeError> {
        let rank = hello.rank;
        let refused = |reason| ServeError::Refused { code: exit::INTERNAL, node: Some(rank), reason };
        match self.hellos.get_mut(usize::from(rank)) {
            None => Err(refused(format!("there is no such node: the program has {}", self.stages.len()))),
            Some(Some(_)) => Err(refused("joined twice".to_owned())),
            Some(place) => {
                *place = Some(hello);
                self.stages[usize::from(rank)] = Stage::Connecting;
                self.seats.insert(seat, rank);
                Ok(())
            }
        }
    }

    /// SHIP-1: closures run only where the program is the same.
    fn check_agreement(&self) -> Result<(), ServeError> {
        let mut hellos = self.hellos.iter().flatten();
        let Some(first) = hellos.next() else { return Ok(()) };
        let different = hellos.find_map(|other| Some((other, difference(first, other)?)));
        match different {
            None => Ok(()),
            Some((other, what)) => {
                let (a, b) = (first, other);
                let reason = if a.host == b.host {
                    format!(
                        "nodes {} and {} do not agree on {what}: all nodes must run the same build",
                        a.rank, b.rank
                    )
                } else {
                    format!(
                        "nodes {} ({}) and {} ({}) do not agree on {what}: all hosts need the same build, C library, \
                         kind of CPU and limits",
                        a.rank, a.host, b.rank, b.host
                    )
                };
                Err(ServeError::Refused { code: exit::VERSION, node: None, reason })
            }
        }
    }
}

fn difference(a: &Hello, b: &Hello) -> Option<String> {
    if a.protocol != b.protocol {
        return Some(format!("the protocol ({} and {})", a.protocol, b.protocol));
    }
    if a.build_id != b.build_id {
        return Some(format!("the build-id ({} and {})", hex(&a.build_id), hex(&b.build_id)));
    }
    let numbers = |name, a: &[u64], b: &[u64]| {
        let at = a.iter().zip(b).position(|(a, b)| a != b)?;
        Some(format!("{name} {at} ({:#x} and {:#x})", a[at], b[at]))
    };
    numbers("the address layout, number", &a.layout, &b.layout)
        .or_else(|| numbers("the address of probe", &a.probes, &b.probes))
        .or_else(|| {
            let (a, b) = (a.descriptors, b.descriptors);
            (a != b).then(|| format!("how many descriptors a node has ({a} and {b}; see ulimit -Hn)"))
        })
        .or_else(|| (a.cpu != b.cpu).then(|| format!("the CPU's features ({:#x} and {:#x})", a.cpu, b.cpu)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
