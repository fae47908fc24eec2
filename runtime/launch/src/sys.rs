//! The system calls that std does not wrap.
//!
//! *Invariants.* A node is reaped only by the job's thread, after everything that was sent to its
//! process id or group; until then the kernel keeps both, so no signal can hit a stranger.
//! *Layout.* None of its own.
//! *Who may touch what, when.* [`wait_for_end`] may run on any thread, since it leaves the zombie;
//! [`reap`] and [`kill`] run on the job's thread. [`in_child`] runs between fork and exec.
//! *Why not safe code.* std waits, signals and prepares processes one way only, and not this way.

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    /// It called exit.
    Exit(i32),
    /// A signal killed it.
    Signal { signal: i32, core: bool },
    /// Nobody can say: its host was lost.
    Lost,
}

impl Status {
    /// What a shell calls it: the status, or 128 + signal.
    pub(crate) const fn code(self) -> i32 {
        match self {
            Status::Exit(code) => code,
            Status::Signal { signal, .. } => 128 + signal,
            Status::Lost => dstd_control::exit::HOST,
        }
    }
}

/// Who gets a signal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Process(u32),
    Group(u32),
}

/// Sends a signal; a target that is gone already is no error.
pub(crate) fn kill(target: Target, signal: i32) {
    let pid = match target {
        Target::Process(pid) => pid as libc::pid_t,
        Target::Group(pid) => -(pid as libc::pid_t),
    };
    // SAFETY: no memory is involved; the target is a child that was not reaped, or its group.
    let status = unsafe { libc::kill(pid, signal) };
    debug_assert!(status == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH));
}

/// Whether a terminal sends `signal` to stop a job, which somebody will continue.
pub(crate) const fn stops_and_continues(signal: i32) -> bool {
    matches!(signal, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
}

/// Does to this process what `signal` does to one that handles no signals: it stops until somebody
/// continues it, or goes on where nobody could.
pub(crate) fn suspend(signal: i32) -> io::Result<()> {
    let before = change_mask(libc::SIG_UNBLOCK, &set_of(&[signal])?)?;
    // SAFETY: the default action is in place, no code of ours runs.
    unsafe { libc::raise(signal) };
    before.set()
}

/// Waits until child `pid` has ended and leaves it a zombie.
pub(crate) fn wait_for_end(pid: u32) -> io::Result<()> {
    loop {
        // SAFETY: all-zero bytes are a valid `siginfo_t`.
        let mut info: libc::siginfo_t = unsafe { zeroed() };
        let options = libc::WEXITED | libc::WNOWAIT;
        // SAFETY: `info` is live and writable.
        if unsafe { libc::waitid(libc::P_PID, pid, &mut info, options) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Takes away the zombie `pid`: how it ended, and the most memory it had resident.
pub(crate) fn reap(pid: u32) -> io::Result<(Status, u64)> {
    let mut status = 0;
    // SAFETY: all-zero bytes are a valid `rusage`.
    let mut usage: libc::rusage = unsafe { zeroed() };
    // SAFETY: both are live and writable.
    let reaped = unsafe { libc::wait4(pid as libc::pid_t, &mut status, 0, &mut usage) };
    if reaped < 0 {
        return Err(io::Error::last_os_error());
    }
    let status = if libc::WIFSIGNALED(status) {
        Status::Signal { signal: libc::WTERMSIG(status), core: libc::WCOREDUMP(status) }
    } else {
        Status::Exit(libc::WEXITSTATUS(status))
    };
    Ok((status, u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024))
}

/// Prepares a node between fork and exec: it dies with the launcher's thread `launcher`, lies at
/// fixed addresses, inherits `fds`, has `signals` blocked (not the launcher's, which exec would
/// hand down), and, in the background, is not stopped for touching the terminal.
///
/// Only calls that are safe after fork are made; nothing is allocated.
pub(crate) fn in_child(launcher: u32, fds: &[RawFd], signals: &Mask, background: bool) -> io::Result<()> {
    die_with(launcher, signals)?;
    // SAFETY: no memory is involved. Where it is forbidden the node finds out itself, and says so.
    unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) };
    for &fd in fds {
        // SAFETY: no memory is involved; the descriptors are open in this process.
        check(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) })?;
    }
    if background {
        for signal in [libc::SIGTTIN, libc::SIGTTOU] {
            // SAFETY: ignoring a signal installs no code.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
    }
    Ok(())
}

/// Lets this process have `wanted` descriptors, as far as that is permitted; returns how many it can have.
pub(crate) fn raise_descriptor_limit(wanted: u64) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is live and writable.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) })?;
    if limit.rlim_cur < wanted {
        limit.rlim_cur = wanted.min(limit.rlim_max);
        // SAFETY: `limit` is live.
        check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) })?;
    }
    Ok(limit.rlim_cur)
}

/// Prepares a child between fork and exec: it dies with the thread of process `launcher` that started it,
/// and has `signals` blocked.
///
/// Only calls that are safe after fork are made; nothing is allocated.
pub(crate) fn die_with(launcher: u32, signals: &Mask) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
    // SAFETY: no memory is involved.
    if unsafe { libc::getppid() } as u32 != launcher {
        // The launcher died before the line above: nobody would ever kill this process.
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    signals.set()
}

/// How many descriptors a process of this host can have, raised to `wanted` where that is permitted.
pub(crate) fn descriptors(wanted: u64) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is live and writable.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) })?;
    if limit.rlim_max >= wanted {
        return Ok(limit.rlim_max);
    }
    let raised = libc::rlimit { rlim_max: wanted, ..limit };
    // SAFETY: `raised` is live.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) } {
        0 => Ok(wanted),
        // Not permitted: the plan goes by what there is.
        _ => Ok(limit.rlim_max),
    }
}

/// Waits until a read of `fd` would return, at most `timeout`.
pub(crate) fn readable(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<bool> {
    poll(fd, libc::POLLIN, timeout)
}

/// How many bytes wait in `fd` to be read.
pub(crate) fn held(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: this request writes an integer, which is live and writable; the descriptor is borrowed and stays open.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &mut bytes) })?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// Waits until a write to `fd` would return, at most `timeout`.
pub(crate) fn writable(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<bool> {
    poll(fd, libc::POLLOUT, timeout)
}

fn poll(fd: BorrowedFd<'_>, events: i16, timeout: Duration) -> io::Result<bool> {
    let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: `entry` is one live, writable entry; the descriptor is borrowed and stays open.
    match unsafe { libc::poll(&mut entry, 1, millis) } {
        0 => Ok(false),
        1.. => Ok(true),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            error => Err(error),
        },
    }
}

/// A terminal of its own for somebody's stderr, as wide and high as ours, that changes no byte:
/// the end to read from, the end to hand out.
pub(crate) fn terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: no memory is involved.
    let ours = owned(unsafe { libc::posix_openpt(flags) })?;
    // SAFETY: no memory is involved; the descriptor is open.
    check(unsafe { libc::unlockpt(ours.as_raw_fd()) })?;
    // SAFETY: this request takes flags and gives a new descriptor; no memory is involved.
    let theirs = owned(unsafe { libc::ioctl(ours.as_raw_fd(), libc::TIOCGPTPEER, flags) })?;

    // SAFETY: all-zero bytes are a valid `termios`.
    let mut mode: libc::termios = unsafe { zeroed() };
    // SAFETY: `mode` is live and writable.
    check(unsafe { libc::tcgetattr(theirs.as_raw_fd(), &mut mode) })?;
    // SAFETY: `mode` was filled in.
    unsafe { libc::cfmakeraw(&mut mode) };
    // SAFETY: `mode` is live.
    check(unsafe { libc::tcsetattr(theirs.as_raw_fd(), libc::TCSANOW, &mode) })?;

    // SAFETY: all-zero bytes are a valid `winsize`.
    let mut size: libc::winsize = unsafe { zeroed() };
    // SAFETY: this request fills in a `winsize`, which is live and writable.
    if unsafe { libc::ioctl(libc::STDERR_FILENO, libc::TIOCGWINSZ, &mut size) } == 0 {
        // SAFETY: this request reads a `winsize`, which is live.
        check(unsafe { libc::ioctl(theirs.as_raw_fd(), libc::TIOCSWINSZ, &size) })?;
    }
    Ok((ours, theirs))
}

fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    check(fd)?;
    // SAFETY: the call that gave `fd` has just opened it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The signals that a thread has blocked.
#[derive(Clone, Copy)]
pub(crate) struct Mask(libc::sigset_t);

impl Mask {
    fn set(&self) -> io::Result<()> {
        change_mask(libc::SIG_SETMASK, &self.0).map(drop)
    }
}

/// What the calling thread has blocked.
pub(crate) fn mask() -> io::Result<Mask> {
    change_mask(libc::SIG_BLOCK, &set_of(&[])?)
}

/// Whether this process may read from the terminal that is its stdin; true when that is no terminal.
pub(crate) fn may_read_stdin() -> bool {
    // SAFETY: no memory is involved.
    let foreground = unsafe { libc::tcgetpgrp(libc::STDIN_FILENO) };
    // SAFETY: no memory is involved.
    foreground < 0 || foreground == unsafe { libc::getpgrp() }
}

/// Changes what the calling thread has blocked; returns what it had.
fn change_mask(how: i32, set: &libc::sigset_t) -> io::Result<Mask> {
    // SAFETY: all-zero bytes are a valid `sigset_t`.
    let mut before: libc::sigset_t = unsafe { zeroed() };
    // SAFETY: `set` is live, `before` is live and writable.
    match unsafe { libc::pthread_sigmask(how, set, &mut before) } {
        0 => Ok(Mask(before)),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

fn set_of(signals: &[i32]) -> io::Result<libc::sigset_t> {
    // SAFETY: all-zero bytes are a valid `sigset_t`.
    let mut set: libc::sigset_t = unsafe { zeroed() };
    // SAFETY: `set` is live and writable.
    check(unsafe { libc::sigemptyset(&mut set) })?;
    for &signal in signals {
        // SAFETY: `set` was initialised.
        check(unsafe { libc::sigaddset(&mut set, signal) })?;
    }
    Ok(set)
}

/// A set of signals that were blocked on the calling thread, and on all threads it starts.
pub(crate) struct Blocked {
    set: libc::sigset_t,
    before: Mask,
}

/// A signal that arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    pub(crate) signal: i32,
    /// The terminal sent it, to the whole foreground group.
    pub(crate) from_terminal: bool,
}

impl Blocked {
    /// Blocks those of `signals` that are not ignored by this process.
    pub(crate) fn new(signals: &[i32]) -> io::Result<Blocked> {
        let heeded: Vec<i32> = signals.iter().copied().filter(|&signal| !is_ignored(signal)).collect();
        let set = set_of(&heeded)?;
        Ok(Blocked { set, before: change_mask(libc::SIG_BLOCK, &set)? })
    }

    /// Waits for one of the signals, at most `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) -> Option<Arrived> {
        let timeout = libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: timeout.subsec_nanos().into(),
        };
        // SAFETY: all-zero bytes are a valid `siginfo_t`.
        let mut info: libc::siginfo_t = unsafe { zeroed() };
        // SAFETY: set and timeout are live, `info` is live and writable.
        let signal = unsafe { libc::sigtimedwait(&self.set, &mut info, &timeout) };
        (signal > 0).then_some(Arrived { signal, from_terminal: info.si_code == libc::SI_KERNEL })
    }

    /// What the thread had blocked before.
    pub(crate) fn before(&self) -> Mask {
        self.before
    }

    /// Restores that on the calling thread. Signals that nobody has waited for arrive then.
    pub(crate) fn restore(&self) {
        self.before.set().expect("the mask was valid once");
    }
}

fn is_ignored(signal: i32) -> bool {
    // SAFETY: all-zero bytes are a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { zeroed() };
    // SAFETY: `action` is live and writable; no new action is set.
    let status = unsafe { libc::sigaction(signal, std::ptr::null(), &mut action) };
    status == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// The name of this host.
pub(crate) fn hostname() -> String {
    let mut name = [0_u8; 256];
    // SAFETY: `name` is live and writable; its last byte is left zero.
    let status = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(0);
    if status == 0 && end > 0 {
        String::from_utf8_lossy(&name[..end]).into_owned()
    } else {
        "localhost".to_owned()
    }
}

/// The name of a signal.
pub(crate) fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGALRM => "SIGALRM",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGHUP => "SIGHUP",
        libc::SIGILL => "SIGILL",
        libc::SIGINT => "SIGINT",
        libc::SIGKILL => "SIGKILL",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGSYS => "SIGSYS",
        libc::SIGTERM => "SIGTERM",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        _ => "another signal",
    }
}

fn check(status: i32) -> io::Result<()> {
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sends `signal` to a thread of this process.
pub(crate) fn signal_thread<T>(thread: &std::thread::JoinHandle<T>, signal: i32) {
    use std::os::unix::thread::JoinHandleExt;
    // SAFETY: the thread has not been joined, so its identity is valid. A thread that has ended
    // gives an error, which changes nothing.
    unsafe { libc::pthread_kill(thread.as_pthread_t(), signal) };
}
