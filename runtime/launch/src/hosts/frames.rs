//! What a launcher and its agent on another host say to each other, over the remote shell's pipes.
//!
//! | message | from | to | what it does |
//! |---|---|---|---|
//! | greeting | agent | launcher | a magic word and a version; what a login shell printed before is skipped |
//! | `Job` | launcher | agent | all that is equal for the nodes, the secret too; which of them the agent starts |
//! | `Piece`, `Whole` | launcher | agent | the program itself, with `--bcast` |
//! | `Ready` | agent | launcher | this host can run the job |
//! | `Refused` | agent | launcher | it cannot, and why |
//! | `Go` | launcher | agent | all hosts can: start the nodes |
//! | `Spawned`, `NotSpawned` | agent | launcher | for each node |
//! | `Stdin`, `StdinEnd` | launcher | agent | what node 0 reads; the next one after `StdinTaken` |
//! | `StdinTaken` | agent | launcher | node 0 has got it |
//! | `Stdout` | agent | launcher | what a node wrote; the first of the host for all, in their order, unless each has its own |
//! | `Stderr` | agent | launcher | what a node wrote |
//! | `StdoutClosed` | launcher | agent | nobody reads what the nodes write |
//! | `Phase` | agent | launcher | how far a starting node has come: short, for it must fit into the pipe of a launcher that is stopped |
//! | `Stats` | agent | launcher | an ended node's counters and last words |
//! | `Ended` | agent | launcher | a node was reaped; all it wrote came before |
//! | `Signal` | launcher | agent | for a node or its group |
//!
//! A frame is a length (`u32`), a kind (`u8`), a rank (`u16`) and a body, little-endian. The end of the
//! launcher's side ends the agent and its nodes. The remote shell has authenticated both ends and keeps
//! strangers from reading along.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};

use dstd_control::secret::Secret;
use dstd_control::stats::Phase;
use serde::{Deserialize, Serialize};

use crate::sys::Status;

/// The first bytes of an agent; the last one changes with what the two say to each other, the statistics too.
const MAGIC: &[u8; 12] = b"dstd-agent:\x02";
/// What a login shell may print before.
const NOISE_BYTES_MAX: usize = 1 << 20;
/// The longest frame: an environment of the largest size that Linux takes, written as text.
const FRAME_BYTES_MAX: usize = 32 << 20;
/// A piece of a program or of a stream.
pub(super) const PIECE_BYTES: usize = 64 << 10;

/// All that an agent must know.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct Job {
    /// The launcher's version.
    pub(super) version: String,
    pub(super) job_id: String,
    /// Where the program is, on this host too unless it is sent.
    pub(super) path: OsString,
    pub(super) name: OsString,
    pub(super) args: Vec<OsString>,
    /// The whole environment.
    pub(super) vars: Vec<(OsString, OsString)>,
    pub(super) dir: OsString,
    pub(super) size: u16,
    /// The nodes of this host: rank, and rank among those of the host.
    pub(super) ranks: Vec<(u16, u16)>,
    pub(super) controller: SocketAddr,
    pub(super) connect_timeout_ms: u64,
    /// Variables of [`dstd_control::env::Options`].
    pub(super) options: Vec<(String, String)>,
    pub(super) addr: Option<IpAddr>,
    pub(super) iface: Option<String>,
    pub(super) ports: Option<String>,
    #[serde(serialize_with = "secret_as_bytes", deserialize_with = "secret_from_bytes")]
    pub(super) secret: Secret,
    /// Which build the program must be.
    pub(super) build: String,
    /// Whether the launcher wants to know which node wrote what to stdout.
    pub(super) each_stdout: bool,
    /// Size and digest, when the program is sent.
    pub(super) sent: Option<(u64, [u8; 32])>,
}

fn secret_as_bytes<S: serde::Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
    secret.expose().serialize(to)
}

fn secret_from_bytes<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
    <[u8; 32]>::deserialize(from).map(Secret::from_bytes)
}

/// Who gets a signal, of a node and what it has started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// The node.
    Process,
    /// All of it. A node 0 beside the launcher shares the launcher's own group: there it is the node.
    Group,
    /// All of it, when the node is known to survive the signal; its own host looks.
    GroupThatTakesIt,
}

impl Scope {
    const fn word(self) -> &'static str {
        match self {
            Scope::Process => "process",
            Scope::Group => "group",
            Scope::GroupThatTakesIt => "group that takes it",
        }
    }

    fn from_word(word: &str) -> io::Result<Scope> {
        let all = [Scope::Process, Scope::Group, Scope::GroupThatTakesIt];
        all.into_iter().find(|scope| scope.word() == word).ok_or_else(damaged)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum ToAgent {
    Job(Box<Job>),
    Piece(Vec<u8>),
    Whole,
    /// `descriptors`: how many a process can have on every host.
    Go {
        descriptors: u64,
    },
    Signal {
        rank: u16,
        scope: Scope,
        signal: i32,
    },
    Stdin(Vec<u8>),
    StdinEnd,
    StdoutClosed,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FromAgent {
    Ready { descriptors: u64 },
    Refused { code: i32, words: String },
    Spawned { rank: u16, pid: u32 },
    NotSpawned { rank: u16, code: i32, words: String },
    Stdout { rank: u16, bytes: Vec<u8> },
    Stderr { rank: u16, bytes: Vec<u8> },
    StdinTaken,
    Phase { rank: u16, phase: Phase },
    Stats { rank: u16, bytes: Vec<u8> },
    Ended { rank: u16, status: Status, peak_rss_bytes: u64 },
}

/// A message as it travels.
#[derive(Debug)]
pub(super) struct Frame {
    kind: u8,
    rank: u16,
    body: Vec<u8>,
}

impl Frame {
    fn new(kind: u8, rank: u16, body: Vec<u8>) -> Frame {
        Frame { kind, rank, body }
    }

    /// Writes the frame at once and flushes.
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let length = u32::try_from(self.body.len() + 3).map_err(|_| damaged())?;
        let mut bytes = Vec::with_capacity(self.body.len() + 7);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.push(self.kind);
        bytes.extend_from_slice(&self.rank.to_le_bytes());
        bytes.extend_from_slice(&self.body);
        to.write_all(&bytes)?;
        to.flush()
    }

    /// Reads the next frame; `None` at the end of the stream between two.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Frame>> {
        let mut length = [0; 4];
        if !read_or_end(from, &mut length)? {
            return Ok(None);
        }
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if !(3..=FRAME_BYTES_MAX).contains(&length) {
            return Err(damaged());
        }
        let mut head = [0; 3];
        from.read_exact(&mut head)?;
        // Grows with what comes, not with what is promised.
        let mut body = Vec::new();
        from.take(length as u64 - 3).read_to_end(&mut body)?;
        if body.len() + 3 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(Frame { kind: head[0], rank: u16::from_le_bytes([head[1], head[2]]), body }))
    }
}

fn read_or_end(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(got) => filled += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// The agent's first word.
pub(super) fn greet(to: &mut impl Write) -> io::Result<()> {
    to.write_all(MAGIC)?;
    to.flush()
}

/// Skips what a login shell printed, up to the agent's first word; false when it never comes.
pub(super) fn await_greeting(from: &mut impl Read) -> io::Result<bool> {
    let mut seen: Vec<u8> = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(MAGIC) {
        if seen.len() == NOISE_BYTES_MAX || !read_or_end(from, &mut byte)? {
            return Ok(false);
        }
        seen.push(byte[0]);
    }
    Ok(true)
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message of the launcher's agent cannot be understood")
}

fn numbers<const N: usize>(numbers: [u64; N]) -> Vec<u8> {
    numbers.into_iter().flat_map(u64::to_le_bytes).collect()
}

fn read_numbers<const N: usize>(body: &[u8]) -> io::Result<[u64; N]> {
    let (words, []) = body.as_chunks::<8>() else { return Err(damaged()) };
    let words: &[[u8; 8]; N] = words.try_into().map_err(|_| damaged())?;
    Ok(words.map(u64::from_le_bytes))
}

/// A code and the words that follow it.
fn coded(code: i32, words: &str) -> Vec<u8> {
    [&code.to_le_bytes()[..], words.as_bytes()].concat()
}

fn read_coded(body: &[u8]) -> io::Result<(i32, String)> {
    let (code, words) = body.split_first_chunk::<4>().ok_or_else(damaged)?;
    Ok((i32::from_le_bytes(*code), String::from_utf8_lossy(words).into_owned()))
}

impl ToAgent {
    pub(super) fn into_frame(self) -> io::Result<Frame> {
        Ok(match self {
            ToAgent::Job(job) => Frame::new(1, 0, serde_json::to_vec(&job)?),
            ToAgent::Piece(bytes) => Frame::new(2, 0, bytes),
            ToAgent::Whole => Frame::new(3, 0, Vec::new()),
            ToAgent::Go { descriptors } => Frame::new(4, 0, numbers([descriptors])),
            ToAgent::Signal { rank, scope, signal } => Frame::new(5, rank, coded(signal, scope.word())),
            ToAgent::Stdin(bytes) => Frame::new(6, 0, bytes),
            ToAgent::StdinEnd => Frame::new(7, 0, Vec::new()),
            ToAgent::StdoutClosed => Frame::new(8, 0, Vec::new()),
        })
    }

    pub(super) fn from_frame(Frame { kind, rank, body }: Frame) -> io::Result<ToAgent> {
        Ok(match kind {
            1 => ToAgent::Job(serde_json::from_slice(&body)?),
            2 => ToAgent::Piece(body),
            3 => ToAgent::Whole,
            4 => {
                let [descriptors] = read_numbers(&body)?;
                ToAgent::Go { descriptors }
            }
            5 => {
                let (signal, target) = read_coded(&body)?;
                ToAgent::Signal { rank, scope: Scope::from_word(&target)?, signal }
            }
            6 => ToAgent::Stdin(body),
            7 => ToAgent::StdinEnd,
            8 => ToAgent::StdoutClosed,
            _ => return Err(damaged()),
        })
    }
}

impl FromAgent {
    pub(super) fn into_frame(self) -> Frame {
        match self {
            FromAgent::Ready { descriptors } => Frame::new(101, 0, numbers([descriptors])),
            FromAgent::Refused { code, words } => Frame::new(102, 0, coded(code, &words)),
            FromAgent::Spawned { rank, pid } => Frame::new(103, rank, numbers([pid.into()])),
            FromAgent::NotSpawned { rank, code, words } => Frame::new(104, rank, coded(code, &words)),
            FromAgent::Stdout { rank, bytes } => Frame::new(105, rank, bytes),
            FromAgent::Stderr { rank, bytes } => Frame::new(106, rank, bytes),
            FromAgent::StdinTaken => Frame::new(107, 0, Vec::new()),
            FromAgent::Stats { rank, bytes } => Frame::new(108, rank, bytes),
            FromAgent::Phase { rank, phase } => Frame::new(110, rank, numbers([phase as u64])),
            FromAgent::Ended { rank, status, peak_rss_bytes } => {
                let (kind, number) = match status {
                    Status::Exit(code) => (0, code),
                    Status::Signal { signal, core } => (1 + u64::from(core), signal),
                    Status::Lost => (3, 0),
                };
                Frame::new(109, rank, numbers([kind, u64::from(number as u32), peak_rss_bytes]))
            }
        }
    }

    pub(super) fn from_frame(Frame { kind, rank, body }: Frame) -> io::Result<FromAgent> {
        Ok(match kind {
            101 => {
                let [descriptors] = read_numbers(&body)?;
                FromAgent::Ready { descriptors }
            }
            102 => {
                let (code, words) = read_coded(&body)?;
                FromAgent::Refused { code, words }
            }
            103 => {
                let [pid] = read_numbers(&body)?;
                FromAgent::Spawned { rank, pid: u32::try_from(pid).map_err(|_| damaged())? }
            }
            104 => {
                let (code, words) = read_coded(&body)?;
                FromAgent::NotSpawned { rank, code, words }
            }
            105 => FromAgent::Stdout { rank, bytes: body },
            106 => FromAgent::Stderr { rank, bytes: body },
            107 => FromAgent::StdinTaken,
            108 => FromAgent::Stats { rank, bytes: body },
            109 => {
                let [kind, number, peak_rss_bytes] = read_numbers(&body)?;
                let number = u32::try_from(number).map_err(|_| damaged())? as i32;
                let status = match kind {
                    0 => Status::Exit(number),
                    1 | 2 => Status::Signal { signal: number, core: kind == 2 },
                    3 => Status::Lost,
                    _ => return Err(damaged()),
                };
                FromAgent::Ended { rank, status, peak_rss_bytes }
            }
            110 => {
                let [phase] = read_numbers(&body)?;
                let phase = Phase::ALL.into_iter().find(|known| *known as u64 == phase);
                FromAgent::Phase { rank, phase: phase.ok_or_else(damaged)? }
            }
            _ => return Err(damaged()),
        })
    }
}

#[cfg(fuzzing)]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;
