//! The agent: starts and ends the nodes of its host for a launcher on another one.
//!
//! | state | means | left when |
//! |---|---|---|
//! | waiting | the job, the program and the word to go are to come | the launcher sends them, or is gone |
//! | running | nodes run; what they write and how they end goes to the launcher | all have ended and the launcher leaves |
//!
//! Whenever the launcher's stream ends, all nodes are killed at once with all that they started: the
//! launcher is dead, or has no use for them. They also die with this process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use dstd_control::exit;
use dstd_control::stats::{Ending, Phase, StatsBlock};

use super::frames::{self, Frame, FromAgent, Scope, ToAgent};
use super::relay::{Outlet, Relay, start_relay};
use super::setup;
use crate::handlers::takes;
use crate::spawn::{Spawned, Template, spawn_error_code};
use crate::sys::{self, Target};

/// How often the agent looks how far starting nodes have come.
const TICK: Duration = Duration::from_millis(100);
/// How long killed processes may take to go.
const KILLED: Duration = Duration::from_secs(10);

/// The stream to the launcher, shared by all that speak.
#[derive(Clone)]
pub(super) struct Speaker(Arc<Mutex<File>>);

impl Speaker {
    /// Says something; the end of the launcher shows on its stream to us, so a failure says nothing more.
    pub(super) fn say(&self, message: FromAgent) {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(message.into_frame().write(&mut *stream));
    }
}

enum Event {
    Heard(ToAgent),
    /// It said something that this version does not know.
    Nonsense,
    Gone,
    Ended(u16),
}

struct Node {
    pid: u32,
    stats: StatsBlock,
    phase: Phase,
    /// stderr, and stdout where each node has its own.
    relays: Vec<Relay>,
    stdin: Option<Sender<Option<Vec<u8>>>>,
    reaped: bool,
}

struct Agent {
    speaker: Speaker,
    inbox: Receiver<Event>,
    events: Sender<Event>,
    nodes: BTreeMap<u16, Node>,
    /// What all nodes write, unless each has its own.
    stdout: Option<Outlet>,
    /// Nobody reads what nodes write to stdout any more.
    stdout_closed: Arc<AtomicBool>,
}

/// The hidden command `dstd-launch agent [DIR]`: `DIR` is where a program that is sent is put.
///
/// Must be called by a thread that lives until it returns: the nodes die with it.
pub(crate) fn main(dir: Option<OsString>) -> i32 {
    if io::stdin().is_terminal() {
        eprintln!(
            "dstd: `dstd-launch agent` is for a launcher on another host; to run a program of this name, write dstd-launch -- agent"
        );
        return exit::USAGE;
    }
    // stdout is for frames; whatever else would print goes to stderr, which the launcher shows.
    let stdout = match setup::take_stdout() {
        Ok(stdout) => stdout,
        Err(error) => {
            eprintln!("cannot use stdout: {error}");
            return exit::INTERNAL;
        }
    };
    let speaker = Speaker(Arc::new(Mutex::new(File::from(stdout))));
    let greeted = frames::greet(&mut *speaker.0.lock().unwrap_or_else(PoisonError::into_inner));
    let (events, inbox) = channel();
    let heard = events.clone();
    let listening = thread::Builder::new().name("launcher".to_owned()).spawn(move || listen(&heard));
    if greeted.is_err() || listening.is_err() {
        return exit::INTERNAL;
    }
    let mut agent =
        Agent { speaker, inbox, events, nodes: BTreeMap::new(), stdout: None, stdout_closed: Arc::default() };
    match agent.prepare(dir.map(PathBuf::from)) {
        Ok(Some(Prepared { template, ranks })) => {
            agent.start(template, &ranks);
            agent.run()
        }
        Ok(None) => 0,
        Err((code, words)) => {
            agent.speaker.say(FromAgent::Refused { code, words });
            // The launcher leaves when it has heard why.
            while !matches!(agent.inbox.recv(), Ok(Event::Gone) | Err(_)) {}
            code
        }
    }
}

/// Turns frames into events until the launcher is gone.
fn listen(events: &Sender<Event>) {
    let mut stdin = io::stdin().lock();
    while let Ok(Some(frame)) = Frame::read(&mut stdin) {
        let event = ToAgent::from_frame(frame).map_or(Event::Nonsense, Event::Heard);
        if events.send(event).is_err() {
            return;
        }
    }
    drop(events.send(Event::Gone));
}

struct Prepared {
    template: Template,
    ranks: Vec<(u16, u16)>,
}

type Failure = (i32, String);

impl Agent {
    /// Everything before the first node: `None` when the launcher left.
    fn prepare(&mut self, dir: Option<PathBuf>) -> Result<Option<Prepared>, Failure> {
        let version = env!("CARGO_PKG_VERSION");
        let unexpected = || {
            let words =
                format!("dstd-launch is another version here ({version}): install the same, or use --bcast");
            (exit::VERSION, words)
        };
        let job = match self.inbox.recv() {
            Ok(Event::Heard(ToAgent::Job(job))) if job.version == version => job,
            Ok(Event::Heard(_) | Event::Nonsense) => return Err(unexpected()),
            Ok(Event::Gone | Event::Ended(_)) | Err(_) => return Ok(None),
        };
        let path = match (job.sent, dir) {
            (None, _) => PathBuf::from(&job.path),
            (Some(_), None) => return Err(unexpected()),
            (Some((bytes, digest)), Some(dir)) => {
                let name = Path::new(&job.path).file_name().unwrap_or("program".as_ref());
                let path = dir.join("program").join(name);
                if !self.receive(&path, bytes, &digest)? {
                    return Ok(None);
                }
                path
            }
        };
        let mut template = setup::template(&job, path)?;
        let descriptors = setup::descriptors(job.size)?;
        self.speaker.say(FromAgent::Ready { descriptors });
        match self.inbox.recv() {
            Ok(Event::Heard(ToAgent::Go { descriptors })) => {
                template.reach.descriptors = Some(descriptors);
                Ok(Some(Prepared { template, ranks: job.ranks }))
            }
            Ok(Event::Heard(_) | Event::Nonsense) => Err(unexpected()),
            Ok(Event::Gone | Event::Ended(_)) | Err(_) => Ok(None),
        }
    }

    /// Receives the program; false when the launcher left.
    fn receive(&mut self, path: &Path, bytes: u64, digest: &[u8; 32]) -> Result<bool, Failure> {
        let cannot = |error: io::Error| (exit::HOST, format!("cannot write {}: {error}", path.display()));
        let mut file = setup::new_program(path).map_err(cannot)?;
        let mut hash = hmac_sha256::Hash::new();
        let mut received = 0;
        loop {
            match self.inbox.recv() {
                Ok(Event::Heard(ToAgent::Piece(piece))) => {
                    received += piece.len() as u64;
                    hash.update(&piece);
                    file.write_all(&piece).map_err(cannot)?;
                }
                Ok(Event::Heard(ToAgent::Whole)) => break,
                _ => return Ok(false),
            }
        }
        if received != bytes || hash.finalize() != *digest {
            return Err((exit::HOST, "the program did not arrive as it was sent".to_owned()));
        }
        Ok(true)
    }

    /// Starts the nodes, and says of each whether it could.
    fn start(&mut self, mut template: Template, ranks: &[(u16, u16)]) {
        if template.streams.stdout_inherited
            && let Err(error) = self.share_stdout(&mut template, ranks)
        {
            ranks.iter().for_each(|&(rank, _)| refuse(&self.speaker, &template, rank, &error));
            return;
        }
        for &(rank, local_rank) in ranks {
            let spawned =
                template.spawn(rank, local_rank, None).and_then(|spawned| self.adopt(rank, spawned));
            match spawned {
                Ok(pid) => self.speaker.say(FromAgent::Spawned { rank, pid }),
                Err(error) => refuse(&self.speaker, &template, rank, &error),
            }
        }
    }

    /// All nodes write to one pipe.
    fn share_stdout(&mut self, template: &mut Template, ranks: &[(u16, u16)]) -> io::Result<()> {
        let speaker = self.speaker.clone();
        let rank = ranks.first().map_or(0, |&(rank, _)| rank);
        let say = move |bytes| speaker.say(FromAgent::Stdout { rank, bytes });
        let (ours, theirs) = io::pipe()?;
        self.stdout = Some(Outlet::start(File::from(OwnedFd::from(ours)), say)?);
        template.stdout = Some(OwnedFd::from(theirs));
        Ok(())
    }

    fn adopt(&mut self, rank: u16, spawned: Spawned) -> io::Result<u32> {
        let Spawned { pid, stats, stdout, stderr, stdin } = spawned;
        let node = Node { pid, stats, phase: Phase::Born, relays: Vec::new(), stdin: None, reaped: false };
        let events = self.events.clone();
        let node = self.nodes.entry(rank).or_insert(node);
        thread::Builder::new().name("wait".to_owned()).spawn(move || {
            sys::wait_for_end(pid).expect("a child that was not reaped can be waited for");
            drop(events.send(Event::Ended(rank)));
        })?;
        let speaker = self.speaker.clone();
        let say = move |bytes: Vec<u8>| {
            speaker.say(FromAgent::Stderr { rank, bytes });
            true
        };
        node.relays.push(start_relay(File::from(stderr), say)?);
        if let Some(stdout) = stdout {
            let (speaker, closed) = (self.speaker.clone(), Arc::clone(&self.stdout_closed));
            let say = move |bytes: Vec<u8>| {
                speaker.say(FromAgent::Stdout { rank, bytes });
                // Relaxed: the flag carries nothing but itself.
                !closed.load(Ordering::Relaxed)
            };
            node.relays.push(start_relay(File::from(stdout), say)?);
        }
        if let Some(stdin) = stdin {
            node.stdin = Some(feed(stdin, self.speaker.clone())?);
        }
        Ok(pid)
    }

    /// Serves until the launcher leaves.
    fn run(&mut self) -> i32 {
        loop {
            let starting = self.nodes.values().any(|node| !node.reaped && node.phase < Phase::Running);
            let event = if starting {
                self.inbox.recv_timeout(TICK)
            } else {
                self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match event {
                Ok(Event::Heard(message)) => self.hear(message),
                Ok(Event::Ended(rank)) => self.ended(rank),
                Ok(Event::Gone) | Err(RecvTimeoutError::Disconnected) => return self.end_all(),
                Ok(Event::Nonsense) | Err(RecvTimeoutError::Timeout) => {}
            }
            self.tell_phases();
        }
    }

    fn hear(&mut self, message: ToAgent) {
        match message {
            ToAgent::Signal { rank, scope, signal } => {
                if let Some(node) = self.nodes.get(&rank).filter(|node| !node.reaped) {
                    match scope {
                        Scope::Process => sys::kill(Target::Process(node.pid), signal),
                        Scope::GroupThatTakesIt if !takes(node.pid, signal) => {}
                        Scope::Group | Scope::GroupThatTakesIt => sys::kill(Target::Group(node.pid), signal),
                    }
                }
            }
            ToAgent::Stdin(bytes) => self.give(Some(bytes)),
            ToAgent::StdinEnd => self.give(None),
            ToAgent::StdoutClosed => {
                self.stdout_closed.store(true, Ordering::Relaxed);
                if let Some(stdout) = &self.stdout {
                    stdout.close();
                }
            }
            // Out of order: of no use to anybody.
            ToAgent::Job(_) | ToAgent::Piece(_) | ToAgent::Whole | ToAgent::Go { .. } => {}
        }
    }

    fn give(&mut self, bytes: Option<Vec<u8>>) {
        let Some(node) = self.nodes.get_mut(&0) else { return };
        let end = bytes.is_none();
        let taken = node.stdin.as_ref().is_some_and(|stdin| stdin.send(bytes).is_ok());
        if end || !taken {
            node.stdin = None;
        }
    }

    fn ended(&mut self, rank: u16) {
        let Some(node) = self.nodes.get_mut(&rank) else { return };
        if !matches!(node.stats.ending(), Ending::Goodbye { .. }) {
            // What a failed node had started goes with it.
            sys::kill(Target::Group(node.pid), libc::SIGKILL);
        }
        let (status, peak_rss_bytes) = sys::reap(node.pid).expect("an ended child can be reaped");
        node.reaped = true;
        node.relays.drain(..).for_each(Relay::finish);
        if let Some(stdout) = &self.stdout {
            stdout.drain();
        }
        node.stdin = None;
        let bytes = node.stats.snapshot();
        self.speaker.say(FromAgent::Stats { rank, bytes });
        self.speaker.say(FromAgent::Ended { rank, status, peak_rss_bytes });
    }

    /// Tells the launcher how far the nodes have come, where that is news.
    fn tell_phases(&mut self) {
        for (&rank, node) in self.nodes.iter_mut().filter(|(_, node)| !node.reaped) {
            let phase = node.stats.phase();
            if phase != node.phase {
                node.phase = phase;
                self.speaker.say(FromAgent::Phase { rank, phase });
            }
        }
    }

    /// Nobody wants the nodes any more.
    fn end_all(&mut self) -> i32 {
        for node in self.nodes.values().filter(|node| !node.reaped) {
            sys::kill(Target::Group(node.pid), libc::SIGKILL);
        }
        let deadline = Instant::now() + KILLED;
        while self.nodes.values().any(|node| !node.reaped) {
            match self.inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Ended(rank)) => self.ended(rank),
                Ok(_) => {}
                Err(_) => return exit::INTERNAL,
            }
        }
        0
    }
}

fn refuse(speaker: &Speaker, template: &Template, rank: u16, error: &io::Error) {
    let words = format!("cannot start {}: {error}", template.path.display());
    speaker.say(FromAgent::NotSpawned { rank, code: spawn_error_code(error), words });
}

/// Gives node 0 what the launcher reads; a node that does not read holds up nobody.
fn feed(stdin: OwnedFd, speaker: Speaker) -> io::Result<Sender<Option<Vec<u8>>>> {
    let (sender, pieces) = channel::<Option<Vec<u8>>>();
    let mut stdin = File::from(stdin);
    thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        while let Ok(Some(piece)) = pieces.recv() {
            if stdin.write_all(&piece).is_err() {
                return;
            }
            speaker.say(FromAgent::StdinTaken);
        }
    })?;
    Ok(sender)
}
