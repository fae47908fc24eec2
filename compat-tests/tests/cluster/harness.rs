//! Runs programs under the launcher: every wait is bounded, nothing is left behind.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::Read;
use std::mem;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// The program with the scenarios.
pub(crate) const SCENARIOS: &str = env!("CARGO_BIN_EXE_scenarios");
/// The program with large thread-locals.
pub(crate) const BIG_TLS: &str = env!("CARGO_BIN_EXE_bigtls");
/// The launcher.
pub(crate) const LAUNCH: &str = env!("CARGO_BIN_EXE_launch");
/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(180);
/// Far more than an end takes that nothing holds up, on a machine that has other things to do.
pub(crate) const END: Duration = Duration::from_secs(60);
/// Every process of a run carries this variable, with a value of its own for each run.
const MARK: &str = "DSTD_TEST_RUN";

static RUNS: AtomicU32 = AtomicU32::new(0);

/// What is done to a command before it starts.
type Change = Box<dyn FnOnce(&mut Command)>;

/// A command line of the launcher, or of a program by itself.
pub(crate) struct Run {
    program: PathBuf,
    options: Vec<OsString>,
    command: Vec<OsString>,
    variables: Vec<(String, String)>,
    changes: Vec<Change>,
    patience: Duration,
}

/// Runs `scenarios NAME` on `nodes` nodes.
pub(crate) fn scenario(nodes: usize, name: &str) -> Run {
    program(nodes, SCENARIOS, [name])
}

/// Runs `scenarios NAME` on `nodes` nodes that map each other's memory.
pub(crate) fn direct(nodes: usize, name: &str) -> Run {
    launch(["-n", &nodes.to_string()], [SCENARIOS, name])
}

/// Runs `scenarios NAME` on `nodes` nodes that serve each other's pages over `transport`.
pub(crate) fn over(transport: &str, nodes: usize, name: &str) -> Run {
    launch(["-n", &nodes.to_string(), "--transport", transport, "--no-direct"], [SCENARIOS, name])
}

/// `scenarios NAME` in every mode and on 2 and 3 nodes, with the number of nodes.
pub(crate) fn everywhere(name: &str) -> impl Iterator<Item = (usize, Run)> {
    [2, 3].into_iter().flat_map(move |nodes| {
        [over("tcp", nodes, name), over("shm", nodes, name), direct(nodes, name)].map(|run| (nodes, run))
    })
}

/// The transport of a test that is about something else: TCP between two nodes, shared memory among more.
///
/// Every scenario thus runs over both, with as many runs as over one. The conformance suite of the transports holds
/// that they do the same; what is left to a whole program is how it starts, sleeps and ends, and those tests
/// name their transports ([`everywhere`]). In a domain it is the launcher's choice, shared memory.
pub(crate) fn transport(nodes: usize) -> &'static str {
    if nodes <= 2 { "tcp" } else { "shm" }
}

/// Runs `program` on `nodes` nodes.
pub(crate) fn program<A: Into<OsString>>(
    nodes: usize,
    program: impl Into<OsString>,
    arguments: impl IntoIterator<Item = A>,
) -> Run {
    let options = ["-n", &nodes.to_string(), "--transport", transport(nodes), "--no-direct"];
    let options = options.map(OsString::from);
    let mut command = vec![program.into()];
    command.extend(arguments.into_iter().map(Into::into));
    launch(options, command)
}

/// Runs the launcher with these words, and a command after `--` if there is one.
pub(crate) fn launch<A: Into<OsString>, B: Into<OsString>>(
    options: impl IntoIterator<Item = A>,
    command: impl IntoIterator<Item = B>,
) -> Run {
    Run {
        program: LAUNCH.into(),
        options: options.into_iter().map(Into::into).collect(),
        command: command.into_iter().map(Into::into).collect(),
        variables: Vec::new(),
        changes: Vec::new(),
        patience: PATIENCE,
    }
}

/// Runs a program without the launcher.
pub(crate) fn alone<A: Into<OsString>>(
    program: impl Into<PathBuf>,
    arguments: impl IntoIterator<Item = A>,
) -> Run {
    let none: [&str; 0] = [];
    Run { program: program.into(), ..launch(arguments, none) }
}

impl Run {
    /// One more word for the launcher.
    pub(crate) fn option(mut self, option: impl Into<OsString>) -> Run {
        self.options.push(option.into());
        self
    }

    /// Whether a word of the launcher is this one.
    pub(crate) fn has_option(&self, option: &str) -> bool {
        self.options.iter().any(|known| known == option)
    }

    /// One more word for the program.
    pub(crate) fn argument(mut self, argument: impl Into<OsString>) -> Run {
        self.command.push(argument.into());
        self
    }

    /// A variable in the launcher's environment.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Run {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another copy of the launcher.
    pub(crate) fn launcher(mut self, launcher: PathBuf) -> Run {
        self.program = launcher;
        self
    }

    /// Changes how the launcher is started.
    pub(crate) fn change(mut self, change: impl FnOnce(&mut Command) + 'static) -> Run {
        self.changes.push(Box::new(change));
        self
    }

    /// Starts it.
    pub(crate) fn start(self) -> Running {
        let mark = format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        let mut command = Command::new(&self.program);
        command.args(&self.options);
        if !self.command.is_empty() {
            command.arg("--").args(&self.command);
        }
        command.env(MARK, &mark).envs(self.variables);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        default_signals(&mut command);
        self.changes.into_iter().for_each(|change| change(&mut command));
        let words = format!("{command:?}");
        let mut child = command.spawn().expect("the program is there");
        // What the command holds of a stream must not keep it open.
        drop(command);
        // What a change has led elsewhere is not seen here.
        let stdout = match child.stdout.take() {
            Some(stdout) => Text::collect(stdout),
            None => Text::collect(std::io::empty()),
        };
        let stderr = Text::collect(child.stderr.take().expect("it is piped"));
        let pid = child.id();
        let ended = wait(child);
        Running { words, mark, pid, stdout, stderr, ended, deadline: Instant::now() + self.patience }
    }

    /// Runs it to its end.
    pub(crate) fn finish(self) -> Ended {
        self.start().finish()
    }
}

/// A background job of a shell ignores some of them; and QUIT shall leave no core.
#[expect(unsafe_code, reason = "std does not change what signals do")]
fn default_signals(command: &mut Command) {
    let defaults = || {
        for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2] {
            // SAFETY: the default installs no code.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the structure is live.
        unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
        Ok(())
    };
    // SAFETY: the function makes only calls that are safe between fork and exec.
    unsafe { command.pre_exec(defaults) };
}

fn wait(mut child: Child) -> mpsc::Receiver<ExitStatus> {
    let (tell, ended) = mpsc::channel();
    thread::spawn(move || tell.send(child.wait().expect("it is our child")));
    ended
}

/// A run that has been started.
pub(crate) struct Running {
    words: String,
    mark: String,
    pid: u32,
    stdout: Arc<Text>,
    stderr: Arc<Text>,
    ended: mpsc::Receiver<ExitStatus>,
    deadline: Instant,
}

impl Running {
    /// Waits until stdout contains `text`; returns all of stdout up to now.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.stdout.wait(self.deadline, |stdout, closed| closed || stdout.contains(text));
        let stdout = self.stdout.now();
        if !stdout.contains(text) {
            self.give_up(&format!("never printed {text:?}"));
        }
        stdout
    }

    /// The process that was started.
    pub(crate) fn launcher(&self) -> u32 {
        self.pid
    }

    /// From now on it must end within `bound`.
    pub(crate) fn within(mut self, bound: Duration) -> Running {
        self.deadline = Instant::now() + bound;
        self
    }

    /// Waits for its end, and that no process of the run is left.
    pub(crate) fn finish(mut self) -> Ended {
        let rest = self.deadline.saturating_duration_since(Instant::now());
        let Ok(status) = self.ended.recv_timeout(rest) else { self.give_up("did not end in time") };
        // Whoever outlives the launcher ends soon, too.
        let deadline = Instant::now() + END;
        while !left(&self.mark).is_empty() {
            if Instant::now() > deadline {
                self.give_up(&format!("left processes behind: {:?}", left(&self.mark)));
            }
            thread::sleep(Duration::from_millis(10));
        }
        let closed = |text: &Text| text.wait(deadline, |_, closed| closed);
        if !closed(&self.stdout) || !closed(&self.stderr) {
            self.give_up("ended, but somebody still holds its output");
        }
        let code = status.code().unwrap_or_else(|| 128 + status.signal().expect("no code, so a signal"));
        Ended {
            words: mem::take(&mut self.words),
            code,
            stdout: self.stdout.now(),
            stderr: self.stderr.now(),
        }
    }

    fn give_up(&self, what: &str) -> ! {
        panic!("{what}: {}\n{}", self.words, outputs(&self.stdout.now(), &self.stderr.now()));
    }
}

/// A test that fails leaves no process of its own behind.
impl Drop for Running {
    fn drop(&mut self) {
        if thread::panicking() {
            left(&self.mark).into_iter().for_each(kill);
        }
    }
}

/// Ends one process that a test has started.
pub(crate) fn kill(pid: u32) {
    // A failure only says that the process ended by itself meanwhile.
    signal(pid, "KILL");
}

/// Sends a signal to one process that a test has started.
pub(crate) fn signal(pid: u32, signal: &str) {
    Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status().expect("kill is there");
}

/// The living processes of a run.
fn left(mark: &str) -> BTreeSet<u32> {
    let mark = format!("{MARK}={mark}");
    let processes = fs::read_dir("/proc").expect("Linux has /proc");
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        })
        .collect()
}

/// What a process prints, as it comes.
struct Text {
    state: Mutex<(Vec<u8>, bool)>,
    changed: Condvar,
}

impl Text {
    fn collect(mut from: impl Read + Send + 'static) -> Arc<Text> {
        let text = Arc::new(Text { state: Mutex::default(), changed: Condvar::new() });
        let collector = Arc::clone(&text);
        thread::spawn(move || {
            let mut buffer = [0; 4_096];
            loop {
                let count = from.read(&mut buffer).unwrap_or(0);
                let mut state = collector.state.lock().expect("no holder panics");
                state.0.extend_from_slice(&buffer[..count]);
                state.1 = count == 0;
                collector.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        text
    }

    /// Waits for something about the text and whether it is complete; false when it is too late.
    fn wait(&self, deadline: Instant, reached: impl Fn(&str, bool) -> bool) -> bool {
        let rest = deadline.saturating_duration_since(Instant::now());
        let state = self.state.lock().expect("no holder panics");
        let waiting = |state: &mut (Vec<u8>, bool)| !reached(&String::from_utf8_lossy(&state.0), state.1);
        !self.changed.wait_timeout_while(state, rest, waiting).expect("no holder panics").1.timed_out()
    }

    fn now(&self) -> String {
        String::from_utf8_lossy(&self.state.lock().expect("no holder panics").0).into_owned()
    }
}

/// How a run ended.
pub(crate) struct Ended {
    words: String,
    /// The exit code, or 128 and the signal.
    pub(crate) code: i32,
    /// All of stdout.
    pub(crate) stdout: String,
    /// All of stderr.
    pub(crate) stderr: String,
}

impl Ended {
    /// It ended with `code`.
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Ended {
        let Ended { words, code: found, stdout, stderr } = &self;
        assert_eq!(*found, code, "the code of {words}\n{}", outputs(stdout, stderr));
        self
    }

    /// It ended with 0, and the last line of stdout is `ok name ..`.
    #[track_caller]
    pub(crate) fn ok(self, name: &str) -> Ended {
        let ended = self.with_code(0);
        let last = ended.stdout.lines().last().unwrap_or_default();
        assert!(
            last.strip_prefix("ok ").is_some_and(|last| last.split(' ').next() == Some(name)),
            "{} ended with {last:?}\n{}",
            ended.words,
            outputs(&ended.stdout, &ended.stderr)
        );
        ended
    }

    /// stderr contains all of `parts`.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Ended {
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "no {part:?} on stderr of {}\n{}",
                self.words,
                outputs(&self.stdout, &self.stderr)
            );
        }
        self
    }
}

fn outputs(stdout: &str, stderr: &str) -> String {
    format!("--- stdout\n{stdout}--- stderr\n{stderr}---")
}

/// Copies a program, which can be started at once.
///
/// Another process does it: a child of this one, forked meanwhile for another test, would hold the copy open for writing
/// until it has become its own program, and the kernel starts no file that somebody writes.
pub(crate) fn copy_program(from: &Path, to: &Path) {
    let mut copy = Command::new("cp");
    copy.arg("--preserve=mode").args([from, to]);
    assert!(copy.status().expect("cp is there").success(), "{copy:?} fails");
}

/// A directory for the files of one test; it goes when the test ends.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A new, empty one.
    pub(crate) fn new() -> Scratch {
        let name = format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("cargo gives us a directory to write to");
        Scratch(path)
    }

    /// A new, empty one where all users of the machine may look.
    pub(crate) fn for_everybody() -> Scratch {
        let name = format!("dstd-test-{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("the name is new");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("it is ours");
        Scratch(path)
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}
