//! The launcher's connection to its agent on one other host.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::frames::{self, Frame, FromAgent, PIECE_BYTES, ToAgent};
use super::relay::{Relay, start_relay};
use super::rsh;
use super::spec::Seat;
use crate::console::Tail;
use crate::job::Event;
use crate::sys;

/// How long a remote shell may take to end when its streams are closed.
const LEAVE: Duration = Duration::from_secs(2);
/// How often it is looked whether it has.
const TICK: Duration = Duration::from_millis(10);

/// What comes from a host.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The agent runs.
    Greeted,
    /// The agent said something.
    Said(FromAgent),
    /// The connection is closed.
    Closed,
}

/// What goes to a host.
pub(super) enum Load {
    /// The bytes of a file, before the agent runs.
    Launcher(PathBuf),
    Say(ToAgent),
    /// The program, in pieces.
    Program(PathBuf),
    /// Has everything before it been written?
    Written(Sender<()>),
    /// The end.
    Close,
}

/// How an agent is started.
pub(super) struct Way<'a> {
    pub(super) rsh: &'a str,
    /// The command on the other host.
    pub(super) remote: &'a str,
    /// What is sent before the agent runs.
    pub(super) launcher: Option<PathBuf>,
    pub(super) signals: &'a sys::Mask,
    /// Whether each node's stdout comes back on its own.
    pub(super) each_stdout: bool,
}

/// A connection.
pub(super) struct Link {
    pub(super) name: String,
    pub(super) to: Sender<Load>,
    child: Child,
    words: Arc<Mutex<Tail>>,
    noise: Option<Relay>,
    /// Whether something that came is not yet where it goes: nobody reads the launcher's stdout.
    pub(super) held_up: Arc<AtomicBool>,
    /// Where to read what the nodes of this host write to stdout, when it comes back, and to stderr.
    pub(super) streams: [BTreeMap<u16, OwnedFd>; 2],
}

impl Link {
    /// Starts the remote shell to `seat`, which is number `index` for `events`.
    pub(super) fn open(way: Way<'_>, seat: &Seat, index: usize, events: Sender<Event>) -> io::Result<Link> {
        let mut child = rsh::start(way.rsh, &seat.host, way.remote, way.signals)?;
        let missing = || io::Error::other("a pipe is missing");
        let (stdin, stdout) =
            (child.stdin.take().ok_or_else(missing)?, child.stdout.take().ok_or_else(missing)?);
        let noise = child.stderr.take().ok_or_else(missing)?;
        let (to, loads) = channel();
        let (out, out_ends) = pipes(if way.each_stdout { seat.ranks.clone() } else { 0..0 })?;
        let (err, err_ends) = pipes(seat.ranks.clone())?;
        let words: Arc<Mutex<Tail>> = Arc::default();
        let tail = Arc::clone(&words);
        let add = move |bytes: Vec<u8>| {
            tail.lock().unwrap_or_else(PoisonError::into_inner).add(&bytes);
            true
        };
        let noise = start_relay(File::from(OwnedFd::from(noise)), add)?;
        thread::Builder::new().name("to host".to_owned()).spawn(move || drop(speak(stdin, &loads)))?;
        let held_up: Arc<AtomicBool> = Arc::default();
        let reader = Reader {
            index,
            events,
            to: to.clone(),
            held_up: Arc::clone(&held_up),
            stdout: out_ends,
            stderr: err_ends,
        };
        thread::Builder::new().name("from host".to_owned()).spawn(move || reader.listen(stdout))?;
        if let Some(launcher) = way.launcher {
            drop(to.send(Load::Launcher(launcher)));
        }
        let (name, noise) = (seat.host.login(), Some(noise));
        Ok(Link { name, to, child, words, noise, held_up, streams: [out, err] })
    }

    /// Says something to the agent; one that is gone shows by [`Heard::Closed`].
    pub(super) fn say(&self, message: ToAgent) {
        drop(self.to.send(Load::Say(message)));
    }

    /// Why the connection has closed, in the words of the remote shell.
    pub(super) fn obituary(&mut self) -> String {
        let deadline = Instant::now() + LEAVE;
        let ended = self.wait(deadline);
        let status = ended.map_or_else(
            || "closed the connection and still runs".to_owned(),
            |status| match status.code() {
                // What shells say of a command that is not there or cannot be run.
                Some(126 | 127) => {
                    "could not run dstd-launch: install it at the same path, or use --bcast".to_owned()
                }
                _ => format!("ended with {status}"),
            },
        );
        if let Some(noise) = self.noise.take() {
            noise.finish();
        }
        match self.last_words() {
            Some(last) => format!("{last} (the remote shell {status})"),
            None => format!("the remote shell {status}"),
        }
    }

    /// The last line that the remote shell, or what it runs, has written to its stderr.
    pub(super) fn last_words(&self) -> Option<String> {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        words.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).last()
    }

    /// Waits until the remote shell has ended, by `deadline`.
    fn wait(&mut self, deadline: Instant) -> Option<std::process::ExitStatus> {
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(TICK),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

/// Ends the connections and waits for that: the agents kill what still runs there.
pub(super) fn close(links: &mut [Link]) {
    for link in &mut *links {
        drop(link.to.send(Load::Close));
    }
    let deadline = Instant::now() + LEAVE;
    for link in links {
        if link.wait(deadline).is_none() {
            // It ends by itself meanwhile, or now.
            drop(link.child.kill());
            drop(link.child.wait());
        }
    }
}

/// Writes all that is to be said to the host.
fn speak(mut stdin: ChildStdin, loads: &Receiver<Load>) -> io::Result<()> {
    while let Ok(load) = loads.recv() {
        match load {
            Load::Launcher(path) => {
                io::copy(&mut File::open(path)?, &mut stdin)?;
                stdin.flush()?;
            }
            Load::Say(message) => message.into_frame()?.write(&mut stdin)?,
            Load::Program(path) => {
                let mut file = File::open(path)?;
                loop {
                    let mut piece = Vec::new();
                    Read::by_ref(&mut file).take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
                    if piece.is_empty() {
                        break;
                    }
                    ToAgent::Piece(piece).into_frame()?.write(&mut stdin)?;
                }
                ToAgent::Whole.into_frame()?.write(&mut stdin)?;
            }
            // Who asked may not wait any more.
            Load::Written(done) => drop(done.send(())),
            Load::Close => break,
        }
    }
    Ok(())
}

/// Reads what comes from the host.
struct Reader {
    index: usize,
    events: Sender<Event>,
    to: Sender<Load>,
    held_up: Arc<AtomicBool>,
    /// Where the words of nodes go whose stdout comes back on its own.
    stdout: BTreeMap<u16, File>,
    stderr: BTreeMap<u16, File>,
}

type Ends<T> = BTreeMap<u16, T>;

/// A pipe for each node: where to read, and where to write.
fn pipes(ranks: Range<u16>) -> io::Result<(Ends<OwnedFd>, Ends<File>)> {
    let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
    for rank in ranks {
        let (source, end) = io::pipe()?;
        ours.insert(rank, source.into());
        theirs.insert(rank, File::from(OwnedFd::from(end)));
    }
    Ok((ours, theirs))
}

impl Reader {
    fn listen(mut self, mut stdout: ChildStdout) {
        if matches!(frames::await_greeting(&mut stdout), Ok(true)) {
            self.tell(Heard::Greeted);
            while let Ok(Some(frame)) = Frame::read(&mut stdout) {
                let Ok(message) = FromAgent::from_frame(frame) else { break };
                // Relaxed: the flag carries nothing but itself.
                self.held_up.store(true, Ordering::Relaxed);
                self.hear(message);
                self.held_up.store(false, Ordering::Relaxed);
            }
        }
        // Nobody waits for more of the nodes' words.
        self.stdout.clear();
        self.stderr.clear();
        self.tell(Heard::Closed);
    }

    fn hear(&mut self, message: FromAgent) {
        match message {
            FromAgent::Stdout { rank, bytes } => {
                let written = match self.stdout.get(&rank) {
                    Some(mut end) => end.write_all(&bytes),
                    None => {
                        let mut stdout = io::stdout().lock();
                        stdout.write_all(&bytes).and_then(|()| stdout.flush())
                    }
                };
                if written.is_err() {
                    drop(self.to.send(Load::Say(ToAgent::StdoutClosed)));
                }
            }
            FromAgent::Stderr { rank, bytes } => {
                if let Some(mut end) = self.stderr.get(&rank) {
                    // Nobody reads: then nobody misses it.
                    drop(end.write_all(&bytes));
                }
            }
            message => {
                if let FromAgent::Ended { rank, .. } = message {
                    self.stdout.remove(&rank);
                    self.stderr.remove(&rank);
                }
                self.tell(Heard::Said(message));
            }
        }
    }

    /// The job may be over.
    fn tell(&self, heard: Heard) {
        drop(self.events.send(Event::Host(self.index, heard)));
    }
}
