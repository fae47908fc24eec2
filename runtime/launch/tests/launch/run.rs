//! A launcher under test. All waits are bounded; a launcher that is still there at the end is killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Far more than anything takes.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

static FILES: AtomicU32 = AtomicU32::new(0);

/// A launcher that runs.
pub(crate) struct Run {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
    readers: Vec<JoinHandle<()>>,
    report: PathBuf,
    seen: Vec<String>,
    said: Vec<String>,
}

/// What a launcher left behind.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
    pub(crate) report: Value,
}

/// `dstd-launch OPTIONS --report-json F -- PROGRAM`, where the program is this test's fake node
/// unless it has a `/`.
pub(crate) fn start(options: &str, program: &[&str]) -> Run {
    start_with_stdin(options, program, "")
}

pub(crate) fn start_with_stdin(options: &str, program: &[&str], stdin: &str) -> Run {
    start_changed(options, program, stdin, |_| {})
}

/// As [`start`], after `change` has changed the launcher's command.
pub(crate) fn start_changed(
    options: &str,
    program: &[&str],
    stdin: &str,
    change: impl FnOnce(&mut Command),
) -> Run {
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let report = std::env::temp_dir().join(format!("dstd-launch-test-{}-{number}.json", std::process::id()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_dstd-launch"));
    command.args(options.split_whitespace()).arg("--report-json").arg(&report).arg("--");
    if !program[0].contains('/') {
        command.arg(std::env::current_exe().unwrap()).arg("node");
    }
    command.args(program).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let defaults = || {
        for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
            // SAFETY: the default installs no code. (A background job of a shell ignores these.)
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: `defaults` makes only calls that are safe between fork and exec.
    unsafe { command.pre_exec(defaults) };
    change(&mut command);
    let mut child = command.spawn().unwrap();
    // The ends that the launcher has are closed here.
    drop(command);
    if let Some(mut input) = child.stdin.take() {
        input.write_all(stdin.as_bytes()).unwrap();
    }
    // A stdout that is not ours to read ends at once.
    let out: Box<dyn Read + Send> = match child.stdout.take() {
        Some(out) => Box::new(out),
        None => Box::new(std::io::empty()),
    };
    let (out, out_reader) = lines(out);
    let (err, err_reader) = lines(child.stderr.take().unwrap());
    Run { child, out, err, readers: vec![out_reader, err_reader], report, seen: Vec::new(), said: Vec::new() }
}

fn lines(stream: impl Read + Send + 'static) -> (Receiver<String>, JoinHandle<()>) {
    let (sender, receiver) = channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    (receiver, reader)
}

/// Runs a command that ends by itself; its status and stderr.
pub(crate) fn command(program: &str, args: &[&str]) -> (i32, String) {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

impl Run {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line on stdout that begins so.
    pub(crate) fn wait_out(&mut self, start: &str) -> String {
        loop {
            let line = self.out.recv_timeout(BOUND).unwrap_or_else(|_| panic!("no {start:?}"));
            self.seen.push(line.clone());
            if line.starts_with(start) {
                return line;
            }
        }
    }

    /// Waits for a line on stderr that contains this.
    pub(crate) fn wait_err(&mut self, part: &str) {
        loop {
            let line = self.err.recv_timeout(BOUND).unwrap_or_else(|_| panic!("no {part:?}"));
            self.said.push(line.clone());
            if line.contains(part) {
                return;
            }
        }
    }

    /// Waits until `size` nodes run; their processes by rank.
    pub(crate) fn wait_up(&mut self, size: usize) -> Vec<u32> {
        let mut pids = vec![0; size];
        for _ in 0..size {
            let line = self.wait_out("up ");
            let mut words = line.split(' ').skip(1).map(|word| word.parse::<u32>().unwrap());
            let (rank, pid) = (words.next().unwrap(), words.next().unwrap());
            pids[rank as usize] = pid;
        }
        pids
    }

    /// Waits until all nodes have ended although the launcher has not.
    pub(crate) fn wait_nodes_gone(&self) {
        wait_until("the nodes do not end", || children(self.pid()).is_empty());
    }

    /// Waits until the only node waits for room in a pipe.
    pub(crate) fn wait_node_blocked(&self) {
        wait_until("the node does not wait", || {
            let waits = |pid: u32| {
                let path = format!("/proc/{pid}/syscall");
                let call = std::fs::read_to_string(path).unwrap_or_default();
                call.starts_with(&format!("{} 0x1 ", libc::SYS_write))
            };
            children(self.pid()).iter().any(|(pid, state)| *state == 'S' && waits(*pid))
        });
    }

    pub(crate) fn kill(&self, signal: i32) {
        send(self.pid(), signal);
    }

    /// Waits for the end of the launcher, and checks that nothing is left of the nodes.
    pub(crate) fn finish(mut self) -> Outcome {
        let until = Instant::now() + BOUND;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > until => panic!("the launcher does not end"),
                None => std::thread::park_timeout(Duration::from_millis(5)),
            }
        };
        // The streams end when all who hold them are gone.
        self.seen.extend(rest(&self.out));
        self.said.extend(rest(&self.err));
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        let report = std::fs::read(&self.report).unwrap_or_default();
        let report: Value = serde_json::from_slice(&report).unwrap_or_default();
        for node in report["nodes"].as_array().into_iter().flatten() {
            if let Some(pid) = node["pid"].as_u64() {
                wait_gone(u32::try_from(pid).unwrap());
            }
        }
        Outcome {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap()),
            stdout: std::mem::take(&mut self.seen),
            stderr: std::mem::take(&mut self.said),
            report,
        }
    }
}

fn rest(lines: &Receiver<String>) -> Vec<String> {
    let mut rest = Vec::new();
    loop {
        match lines.recv_timeout(BOUND) {
            Ok(line) => rest.push(line),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return rest,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("somebody keeps the stream open"),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Its nodes die with it.
            drop(self.child.kill());
            drop(self.child.wait());
        }
        drop(std::fs::remove_file(&self.report));
    }
}

impl Outcome {
    /// Checks who ended the program, where, and with which code.
    #[track_caller]
    pub(crate) fn is(&self, origin: &str, node: Option<u16>, code: i32) -> &Outcome {
        let exit = &self.report["exit"];
        let found = (self.code, exit["origin"].as_str(), exit["node"].as_u64(), exit["code"].as_i64());
        let expected = (code, Some(origin), node.map(u64::from), Some(i64::from(code)));
        assert_eq!(found, expected, "stderr: {:#?}\nreport: {exit:#}", self.stderr);
        self
    }

    /// Checks that the launcher said this, on a line of its own words.
    #[track_caller]
    pub(crate) fn said(&self, part: &str) -> &Outcome {
        let found = self.stderr.iter().any(|line| line.starts_with("dstd: ") && line.contains(part));
        assert!(found, "nobody said {part:?}: {:#?}", self.stderr);
        self
    }

    /// Checks that the launcher said nothing.
    #[track_caller]
    pub(crate) fn said_nothing(&self) -> &Outcome {
        assert_eq!(self.stderr, [""; 0]);
        self
    }
}

pub(crate) fn send(pid: u32, signal: i32) {
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::kill(pid as i32, signal) }, 0, "no process {pid}");
}

/// Waits until a process is gone, or is a zombie that its parent has to reap.
pub(crate) fn wait_gone(pid: u32) {
    wait_until(&format!("process {pid} is left behind"), || matches!(state_of(pid), None | Some('Z' | 'X')));
}

/// The processes that `parent` has started and that are no zombies, with their states.
pub(crate) fn children(parent: u32) -> Vec<(u32, char)> {
    let entries = std::fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let child = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit(") ").next()?.split(' ');
        let state = fields.next()?.chars().next()?;
        (fields.next()? == parent.to_string() && state != 'Z').then_some((pid, state))
    };
    pids.filter_map(child).collect()
}

/// The state of a process as /proc names it.
pub(crate) fn state_of(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

/// Waits until something is so; it must become so.
pub(crate) fn wait_until(otherwise: &str, so: impl Fn() -> bool) {
    let until = Instant::now() + BOUND;
    while !so() {
        assert!(Instant::now() < until, "{otherwise}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
