//! A shell with job control, as small as it gets, and the terminal it runs in.
//!
//! The test holds one end of a pseudo-terminal, this very program runs again as the leader of a
//! session on the other (`shell`), and starts the launcher as a job: in the foreground or not.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio, exit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::run::{BOUND, wait_until};

/// Runs `args[1..]` as a job, in the foreground if `args[0]` is `fg`. Says `pid N`, `stopped SIGNAL`
/// and `ended CODE`; takes `fg` and `bg`.
pub(crate) fn main(args: &[String]) -> ! {
    // SAFETY: ignoring a signal installs no code.
    unsafe { libc::signal(libc::SIGTTOU, libc::SIG_IGN) };
    let foreground = args[0] == "fg";
    let terminal = || Stdio::from(File::options().read(true).write(true).open("/dev/tty").unwrap());
    let mut command = Command::new(&args[1]);
    command.args(&args[2..]).stdin(terminal()).stdout(terminal()).stderr(terminal()).process_group(0);
    let as_job = move || {
        if foreground {
            // SAFETY: no memory is involved.
            let me = unsafe { libc::getpid() };
            // SAFETY: as above.
            unsafe { libc::tcsetpgrp(2, me) };
        }
        for signal in [libc::SIGTTOU, libc::SIGINT, libc::SIGQUIT, libc::SIGHUP] {
            // SAFETY: the default installs no code.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the limit is live. A ^\ shall leave no core.
        unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) };
        Ok(())
    };
    // SAFETY: `as_job` makes only calls that are safe between fork and exec.
    unsafe { command.pre_exec(as_job) };
    let job = command.spawn().unwrap().id() as libc::pid_t;
    say(&format!("pid {job}"));
    std::thread::spawn(move || {
        for word in std::io::stdin().lines().map_while(Result::ok) {
            if word == "fg" {
                // SAFETY: no memory is involved.
                unsafe { libc::tcsetpgrp(2, job) };
            }
            // SAFETY: as above; the job's group exists until it is reaped below.
            unsafe { libc::kill(-job, libc::SIGCONT) };
        }
    });
    loop {
        let mut status = 0;
        // SAFETY: the status is live and writable.
        assert_eq!(unsafe { libc::waitpid(job, &mut status, libc::WUNTRACED) }, job);
        if libc::WIFSTOPPED(status) {
            say(&format!("stopped {}", libc::WSTOPSIG(status)));
        } else {
            let signalled = libc::WIFSIGNALED(status);
            say(&format!(
                "ended {}",
                if signalled { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
            ));
            exit(0);
        }
    }
}

fn say(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// A terminal in which a shell runs the launcher.
pub(crate) struct Terminal {
    keyboard: Option<File>,
    screen: Arc<Mutex<String>>,
    closed: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    shell: Child,
    words: Option<ChildStdin>,
    events: Receiver<String>,
    /// The launcher.
    pub(crate) pid: u32,
}

impl Terminal {
    /// Starts `dstd-launch OPTIONS -- fake node PROGRAM`; `how` is `fg` or `bg`. With `tostop`, writing from
    /// the background stops a job.
    pub(crate) fn start(how: &str, tostop: bool, options: &str, program: &[&str]) -> Terminal {
        let (ours, theirs) = pair(tostop);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["shell", how, env!("CARGO_BIN_EXE_dstd-launch")])
            .args(options.split_whitespace())
            .arg("--");
        command.arg(std::env::current_exe().unwrap()).arg("node").args(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(theirs);
        let lead = || {
            // SAFETY: no memory is involved.
            unsafe { libc::setsid() };
            // SAFETY: as above; descriptor 2 is the terminal.
            match unsafe { libc::ioctl(2, libc::TIOCSCTTY, 0) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: `lead` makes only calls that are safe between fork and exec.
        unsafe { command.pre_exec(lead) };
        let mut shell = command.spawn().unwrap();
        // Its end of the terminal is open here no more.
        drop(command);
        let (sender, events) = channel();
        let lines = BufReader::new(shell.stdout.take().unwrap());
        std::thread::spawn(move || {
            lines.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok());
        });
        let (screen, closed) = (Arc::<Mutex<String>>::default(), Arc::<AtomicBool>::default());
        let reader = {
            let (screen, closed, mut source) =
                (Arc::clone(&screen), Arc::clone(&closed), ours.try_clone().unwrap());
            std::thread::spawn(move || watch(&mut source, &screen, &closed))
        };
        let words = shell.stdin.take();
        let keyboard = Some(ours);
        let mut terminal =
            Terminal { keyboard, screen, closed, reader: Some(reader), shell, words, events, pid: 0 };
        terminal.pid = terminal.event().strip_prefix("pid ").unwrap().parse().unwrap();
        terminal
    }

    /// What the shell says next.
    #[track_caller]
    pub(crate) fn event(&self) -> String {
        self.events.recv_timeout(BOUND).unwrap_or_else(|_| panic!("no word of the shell: {}", self.screen()))
    }

    /// `fg` or `bg`.
    pub(crate) fn tell_shell(&mut self, word: &str) {
        self.words.as_mut().unwrap().write_all(format!("{word}\n").as_bytes()).unwrap();
    }

    /// What a person types.
    pub(crate) fn press(&mut self, keys: &[u8]) {
        self.keyboard.as_mut().unwrap().write_all(keys).unwrap();
    }

    /// All that was shown.
    pub(crate) fn screen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    /// Waits until `text` was shown so often.
    pub(crate) fn wait_screen(&self, text: &str, times: usize) {
        wait_until(&format!("no {text:?} on the screen"), || self.screen().matches(text).count() >= times);
    }

    /// The window is closed.
    pub(crate) fn close(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.keyboard = None;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.close();
        // The shell ends when its terminal does, or has ended.
        drop(self.shell.kill());
        self.shell.wait().unwrap();
    }
}

fn watch(source: &mut File, screen: &Mutex<String>, closed: &AtomicBool) {
    let mut buffer = [0; 4096];
    while !closed.load(Ordering::Relaxed) {
        let mut entry = libc::pollfd { fd: source.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one live, writable entry.
        if unsafe { libc::poll(&mut entry, 1, 20) } <= 0 {
            continue;
        }
        // An error: nobody has the other end any more.
        let Ok(got) = source.read(&mut buffer) else { return };
        screen.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..got]));
    }
}

/// A pseudo-terminal: the test's end, the shell's end.
fn pair(tostop: bool) -> (File, File) {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: no memory is involved.
    let ours = owned(unsafe { libc::posix_openpt(flags) });
    // SAFETY: no memory is involved; the descriptor is open.
    assert_eq!(unsafe { libc::unlockpt(ours.as_raw_fd()) }, 0);
    // SAFETY: this request takes flags and gives a new descriptor; no memory is involved.
    let theirs = owned(unsafe { libc::ioctl(ours.as_raw_fd(), libc::TIOCGPTPEER, flags) });
    // SAFETY: all-zero bytes are a valid `termios`.
    let mut mode: libc::termios = unsafe { zeroed() };
    // SAFETY: the mode is live and writable.
    assert_eq!(unsafe { libc::tcgetattr(theirs.as_raw_fd(), &mut mode) }, 0);
    if tostop {
        mode.c_lflag |= libc::TOSTOP;
    }
    // SAFETY: the mode is live.
    assert_eq!(unsafe { libc::tcsetattr(theirs.as_raw_fd(), libc::TCSANOW, &mode) }, 0);
    (File::from(ours), File::from(theirs))
}

fn owned(fd: i32) -> OwnedFd {
    assert!(fd >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: the call that gave `fd` has just opened it, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
