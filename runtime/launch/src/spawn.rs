//! One process a node.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use dstd_control::env::{NodeEnv, Options, Reach};
use dstd_control::exit;
use dstd_control::secret::Secret;
use dstd_control::stats::StatsBlock;

use crate::everyday::Readers;
use crate::links::Links;
use crate::sys;

/// What all nodes of a job have in common.
pub(crate) struct Template {
    pub(crate) path: PathBuf,
    pub(crate) name: OsString,
    pub(crate) args: Vec<OsString>,
    pub(crate) vars: Vec<(OsString, OsString)>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) job_id: String,
    pub(crate) size: u16,
    pub(crate) controller: SocketAddr,
    pub(crate) connect_timeout: Duration,
    pub(crate) reach: Reach,
    pub(crate) options: Options,
    /// The launcher is on another host: node 0 is given what it reads, and the variables here are all there are.
    pub(crate) relayed: bool,
    /// Where all nodes of this host write, if not to the launcher's stdout.
    pub(crate) stdout: Option<OwnedFd>,
    /// Signals that a node has blocked at its start.
    pub(crate) signals: sys::Mask,
    pub(crate) secret: Secret,
    pub(crate) streams: Streams,
}

/// What the standard streams of nodes are.
#[derive(Clone, Copy)]
pub(crate) struct Streams {
    /// Who reads the launcher's stdin; the others' is empty.
    pub(crate) stdin: Readers,
    /// stdout is the launcher's own, else it comes back in [`Spawned`].
    pub(crate) stdout_inherited: bool,
    /// stderr is a terminal where the launcher's own is one.
    pub(crate) stderr_like_ours: bool,
}

/// A process that was started.
pub(crate) struct Spawned {
    pub(crate) pid: u32,
    pub(crate) stats: StatsBlock,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: OwnedFd,
    /// Where node 0 is to be given what it reads: [`Template::relayed`].
    pub(crate) stdin: Option<OwnedFd>,
}

impl Template {
    /// Starts node `rank`, which is number `local_rank` of this host. The node dies with the calling thread.
    ///
    /// Its stderr comes back in `Spawned`, the other streams are as [`Streams`] says. The secret waits in a
    /// pipe that nobody else can read. Its ends of the links' sockets, if there are any, are left to it alone.
    pub(crate) fn spawn(&self, rank: u16, local_rank: u16, links: Option<&mut Links>) -> io::Result<Spawned> {
        let (stats, stats_fd) = StatsBlock::create()?;
        let (cred_fd, mut cred) = io::pipe()?;
        // 32 bytes fit into an empty pipe.
        cred.write_all(self.secret.expose())?;
        drop(cred);
        let (stderr, stderr_of_node) = stderr_ends(self.streams.stderr_like_ours)?;
        let links = links.map(|links| links.ends_of(rank)).transpose()?;
        let link_fds = links.as_ref().map(|ends| ends.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>());

        let env = NodeEnv {
            job_id: self.job_id.clone(),
            rank,
            size: self.size,
            local_rank,
            controller: self.controller,
            cred_fd: cred_fd.as_raw_fd(),
            stats_fd: stats_fd.as_raw_fd(),
            link_fds,
            connect_timeout: self.connect_timeout,
            reach: self.reach.clone(),
            options: self.options.clone(),
        };
        let mut command = Command::new(&self.path);
        if self.relayed {
            command.env_clear();
        }
        command.arg0(&self.name).args(&self.args).envs(self.vars.iter().map(|(name, value)| (name, value)));
        command.envs(env.to_vars()).stderr(stderr_of_node);
        let stdout = if self.streams.stdout_inherited {
            if let Some(stdout) = &self.stdout {
                command.stdout(stdout.try_clone()?);
            }
            None
        } else {
            let (ours, of_node) = io::pipe()?;
            command.stdout(of_node);
            Some(ours.into())
        };
        if !self.streams.stdin.include(rank) {
            command.stdin(Stdio::null());
        } else if self.relayed {
            command.stdin(Stdio::piped());
        }
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        let background = rank > 0 || self.relayed;
        if background {
            command.process_group(0);
        }
        let (launcher, signals) = (std::process::id(), self.signals);
        let fds = [vec![env.cred_fd, env.stats_fd], env.link_fds.unwrap_or_default()].concat();
        // SAFETY: `in_child` makes only calls that are safe between fork and exec.
        unsafe { command.pre_exec(move || sys::in_child(launcher, &fds, &signals, background)) };
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().map(OwnedFd::from);
        // The job reaps the process itself, by its id.
        Ok(Spawned { pid: child.id(), stats, stdout, stderr, stdin })
    }
}

/// The status for a program that cannot be started because of `error`.
pub(crate) fn spawn_error_code(error: &io::Error) -> i32 {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory => {
            exit::USAGE
        }
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => exit::UNFIT,
        _ => exit::INTERNAL,
    }
}

/// The two ends of a node's stderr: a pipe, or a terminal where the launcher's own is one, so that
/// colours and progress bars look as without a launcher.
fn stderr_ends(like_ours: bool) -> io::Result<(OwnedFd, OwnedFd)> {
    if like_ours
        && io::stderr().is_terminal()
        && let Ok(ends) = sys::terminal()
    {
        return Ok(ends);
    }
    let (ours, theirs) = io::pipe()?;
    Ok((ours.into(), theirs.into()))
}

/// Opens the file of the report before anything is started, so that a run is not made in vain.
pub(crate) fn open_report(path: &Path) -> Result<File, String> {
    File::create(path).map_err(|error| format!("cannot write the report to {}: {error}", path.display()))
}
