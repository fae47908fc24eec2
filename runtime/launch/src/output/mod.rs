//! What nodes print: shown, kept in files, or both.
//!
//! | style | stdout of a node | its stderr |
//! |---|---|---|
//! | raw, no files | the launcher's own, no byte passes here | here, to stderr, byte for byte |
//! | raw | here, to stdout, byte for byte | the same |
//! | label, timestamp | here, to stdout, line by line | here, to stderr, line by line |
//! | json | here, to stdout, line by line | the same, to stdout |
//! | none | here, to files only | the same |
//!
//! What passes here is in order for each node and stream; between nodes the order is that of arrival.
//! Files get the bytes as they are. A file that cannot be written is said at once and does not stop
//! the program, but its status is not 0 then. When the launcher's stdout cannot be written (and no
//! file takes it either), the nodes' stdout is closed, so that their next line fails as in std.

mod forward;
mod lines;
mod look;
mod target;

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::UNIX_EPOCH;

pub(crate) use forward::Forwarder;
use lines::Lines;
use target::Target;

use crate::console::{Console, Tail};
use crate::everyday::{Everyday, Style};

/// A stream of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Which {
    Stdout,
    Stderr,
}

impl Which {
    const fn name(self) -> &'static str {
        match self {
            Which::Stdout => "stdout",
            Which::Stderr => "stderr",
        }
    }
}

/// What becomes of everything the nodes of a job print.
pub(crate) struct Output {
    style: Style,
    console: Console,
    width: usize,
    stdout: Arc<Mutex<Target>>,
    /// By rank: stdout, stderr.
    files: Vec<[Arc<Mutex<Target>>; 2]>,
}

impl Output {
    /// Opens what `options` name for `nodes` nodes. The error says what is wrong with them.
    pub(crate) fn prepare(options: &Everyday, nodes: u16, console: &Console) -> Result<Output, String> {
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        let stdout = stdout.map_err(|error| format!("cannot use the launcher's stdout: {error}"))?;
        let stdout = Target::new("standard output".to_owned(), File::from(stdout));
        Ok(Output {
            style: options.output,
            console: console.clone(),
            width: nodes.saturating_sub(1).max(1).ilog10() as usize + 1,
            stdout: Arc::new(Mutex::new(stdout)),
            files: options
                .log_dir
                .as_deref()
                .map(|dir| open_files(dir, nodes))
                .transpose()?
                .unwrap_or_default(),
        })
    }

    /// Whether nodes write to the launcher's own stdout.
    pub(crate) fn inherits_stdout(&self) -> bool {
        self.style == Style::Raw && self.files.is_empty()
    }

    /// Whether what nodes write to stderr may be coloured for a terminal.
    pub(crate) fn may_be_a_terminal(&self) -> bool {
        self.inherits_stdout()
    }

    /// Whether the user sees what nodes print.
    pub(crate) fn is_shown(&self) -> bool {
        self.style != Style::None
    }

    /// What a stream of a node is given to.
    pub(crate) fn stream(&self, rank: u16, which: Which) -> Stream {
        let file = self.files.get(usize::from(rank)).map(|files| Arc::clone(&files[which as usize]));
        Stream {
            style: self.style,
            rank,
            width: self.width,
            which,
            lines: Lines::default(),
            tail: Arc::default(),
            console: self.console.clone(),
            stdout: Arc::clone(&self.stdout),
            file,
        }
    }

    /// What was not shown or not kept although it should have been, in words.
    pub(crate) fn lost(&self) -> Option<String> {
        let targets = std::iter::once(&self.stdout).chain(self.files.iter().flatten());
        let lost: Vec<String> = targets
            .filter_map(|target| match target.try_lock() {
                Ok(target) => target.lost(),
                Err(TryLockError::Poisoned(target)) => target.into_inner().lost(),
                Err(TryLockError::WouldBlock) => Some("standard output was not read to its end".to_owned()),
            })
            .collect();
        (!lost.is_empty()).then(|| lost.join("\n"))
    }
}

type Files = Vec<[Arc<Mutex<Target>>; 2]>;

fn open_files(dir: &Path, nodes: u16) -> Result<Files, String> {
    fs::create_dir_all(dir)
        .map_err(|error| format!("cannot make the directory of the logs {}: {error}", dir.display()))?;
    let open = |rank: u16, which: Which| -> Result<_, String> {
        let path = dir.join(format!("node{rank}.{}", which.name()));
        let file = File::create(&path)
            .map_err(|error| format!("cannot write the log {}: {error}", path.display()))?;
        Ok(Arc::new(Mutex::new(Target::new(path.display().to_string(), file))))
    };
    (0..nodes).map(|rank| Ok([open(rank, Which::Stdout)?, open(rank, Which::Stderr)?])).collect()
}

/// Whether a stream is to be read on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    More,
    /// Nobody takes it any more: the node shall notice.
    NoMore,
}

/// Takes one stream of one node.
pub(crate) struct Stream {
    style: Style,
    rank: u16,
    width: usize,
    which: Which,
    lines: Lines,
    tail: Arc<Mutex<Tail>>,
    console: Console,
    stdout: Arc<Mutex<Target>>,
    file: Option<Arc<Mutex<Target>>>,
}

impl Stream {
    /// Takes what the node has just written.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Wanted {
        if let Some(file) = &self.file {
            file.lock().unwrap_or_else(PoisonError::into_inner).write(bytes, &self.console);
        }
        if self.which == Which::Stderr {
            self.tail.lock().unwrap_or_else(PoisonError::into_inner).add(bytes);
        }
        match self.style {
            Style::None => Wanted::More,
            Style::Raw => self.show(bytes),
            Style::Label | Style::Timestamp | Style::Json => {
                let (mut text, style, origin) = (Vec::new(), self.style, self.origin());
                self.lines.take(bytes, |line, whole| look::add_line(&mut text, style, origin, line, whole));
                self.show(&text)
            }
        }
    }

    /// Shows the line that was not ended.
    pub(crate) fn end(&mut self) {
        let (mut text, style, origin) = (Vec::new(), self.style, self.origin());
        self.lines.end(|line, whole| look::add_line(&mut text, style, origin, line, whole));
        self.show(&text);
    }

    /// The last lines of what is given to it.
    fn tail(&self) -> Arc<Mutex<Tail>> {
        Arc::clone(&self.tail)
    }

    fn origin(&self) -> look::Origin {
        let time = UNIX_EPOCH.elapsed().unwrap_or_default();
        look::Origin { rank: self.rank, width: self.width, which: self.which, time }
    }

    fn show(&self, text: &[u8]) -> Wanted {
        if self.which == Which::Stderr && self.style != Style::Json {
            self.console.forward(text);
            return Wanted::More;
        }
        let mut stdout = self.stdout.lock().unwrap_or_else(PoisonError::into_inner);
        stdout.write(text, &self.console);
        let missed = stdout.has_failed() && self.which == Which::Stdout && self.file.is_none();
        if missed { Wanted::NoMore } else { Wanted::More }
    }
}
