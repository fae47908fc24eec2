//! Programs that a command starts, watches and, if it has to, ends.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::verdict::{Verdict, while_doing};

/// Every process of a run carries this variable, with a value of its own for each run.
const MARK: &str = "DSTD_XTASK_RUN";
const LOOK_AGAIN: Duration = Duration::from_millis(5);

static RUNS: AtomicU32 = AtomicU32::new(0);

/// A program that runs, with all its processes.
pub(crate) struct Running {
    child: Child,
    mark: String,
}

impl Running {
    /// Starts it; its output is not read.
    pub(crate) fn start(command: &mut Command) -> Verdict<Running> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Running::begin(command)
    }

    /// Starts it; all its output goes into `log`.
    pub(crate) fn start_into(command: &mut Command, log: File) -> Verdict<Running> {
        command.stderr(log.try_clone().map_err(while_doing("the log of a program"))?).stdout(log);
        Running::begin(command.stdin(Stdio::null()))
    }

    /// Starts it with the streams that the command names.
    pub(crate) fn start_as_is(command: &mut Command) -> Verdict<Running> {
        Running::begin(command)
    }

    fn begin(command: &mut Command) -> Verdict<Running> {
        let mark = format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        command.env(MARK, &mark).process_group(0);
        let child = command.spawn().map_err(while_doing(format!("{command:?}")))?;
        Ok(Running { child, mark })
    }

    /// The code it ends with (128 and the signal for a signal), or nothing when it takes longer than `bound`.
    pub(crate) fn wait(&mut self, bound: Duration) -> Verdict<Option<i32>> {
        let deadline = Instant::now() + bound;
        loop {
            if let Some(status) = self.child.try_wait().map_err(while_doing("waiting for a program"))? {
                return Ok(Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))));
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// The living processes it consists of, the started one apart.
    pub(crate) fn nodes(&self) -> Vec<u32> {
        let mark = format!("{MARK}={}", self.mark);
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        processes
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid| *pid != self.child.id())
            .filter(|pid| {
                let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
            })
            .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for pid in self.nodes() {
            kill(pid);
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            kill(self.child.id());
        }
    }
}

/// Kills one process that we have started.
pub(crate) fn kill(pid: u32) {
    if let Err(error) = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status()
    {
        eprintln!("kill {pid}: {error}");
    }
}
