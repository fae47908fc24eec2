//! Nodes without a launcher: `srun ./prog`.
//!
//! ```text
//! rank 0                                        rank k
//! secret: a file of the user                    the same file
//! listens, forks who brings the nodes together
//! executes itself as node 0                     executes itself as node k
//!            <------- the usual start, without statistics ------->
//! ```
//! Runs before libc's start, in a process of one node, which it ends by executing the program again with
//! the variables that a launcher would have set.
//!
//! *Why not safe code*: fork, exec, and descriptors by number.

use core::ffi::c_char;
use std::ffi::{CString, OsString};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use dstd_control::env::{self, ALONE, Managed, NodeEnv, Options, Reach, Transport, is_of_a_rank};
use dstd_control::rendezvous;
use dstd_control::secret::Secret;
use dstd_control::stats::StatsBlock;
use dstd_control::{exit, ports};

use super::shared_key;
use crate::fatal::{self, stop};
use crate::raw;

/// Bound of the start: a batch system starts the ranks one after the other.
const START: Duration = Duration::from_secs(60);
/// How often a rank looks whether rank 0 listens.
const TICK: Duration = Duration::from_millis(20);

type Failure = (i32, String);

/// Returns in a program that is one node or that the launcher has started.
pub(super) fn become_node(argv: *mut *mut c_char) {
    let managed = match Managed::from_env() {
        Ok(None) => return,
        Ok(Some(managed)) => managed,
        Err(error) => stop!(error.exit_code(), "{error}, or set {ALONE}=1 to run as one node"),
    };
    let (code, words) = match execute(&managed, argv) {
        Err(failure) => failure,
        Ok(never) => match never {},
    };
    stop!(code, "rank {} of {}: {words}", managed.rank, managed.job)
}

fn execute(managed: &Managed, argv: *mut *mut c_char) -> Result<std::convert::Infallible, Failure> {
    let cannot = |what: &str, error: io::Error| (fatal::CANNOT, format!("cannot {what}: {error}"));
    let deadline = Instant::now() + START;
    let key = shared_key::read(managed.rank == 0, deadline)?;
    let secret = Secret::of_job(&key, &managed.job);
    let meeting = meeting_place(managed)?;
    let own = own_address(managed, meeting)?;
    if managed.rank == 0 {
        let listener = ports::listen(meeting.ip(), one_port(meeting.port())).map_err(|error| {
            (
                exit::PORT,
                format!("cannot listen on {meeting}: {error}: choose another with DSTD_MEET=host:port"),
            )
        })?;
        bring_together(&listener, &secret, managed.size, deadline).map_err(|error| cannot("fork", error))?;
    } else {
        await_rank_0(meeting, deadline)?;
    }
    let options = Options::from_env().map_err(|error| (error.exit_code(), error.to_string()))?;
    let (_, stats) = StatsBlock::create().map_err(|error| cannot("make statistics", error))?;
    let environment = NodeEnv {
        job_id: managed.job.clone(),
        rank: managed.rank,
        size: managed.size,
        local_rank: managed.local_rank,
        controller: meeting,
        cred_fd: secret_pipe(&secret).map_err(|error| cannot("pass on the secret", error))?,
        stats_fd: inherited(&stats).map_err(|error| cannot("pass on statistics", error))?,
        link_fds: None,
        connect_timeout: START,
        reach: Reach { listen: Some(own), unwatched: true, ..Reach::default() },
        options: Options {
            transport: Some(Transport::Tcp),
            no_direct: options.no_direct || !managed.one_host,
            ..options
        },
    };
    let variables = variables(&environment).map_err(|error| cannot("use the environment", error))?;
    let mut pointers: Vec<*const c_char> = variables.iter().map(|variable| variable.as_ptr()).collect();
    pointers.push(core::ptr::null());
    // SAFETY: all three are C strings or null-terminated arrays of them; the process has one thread.
    unsafe { libc::execve(c"/proc/self/exe".as_ptr(), argv.cast_const().cast(), pointers.as_ptr()) };
    Err(cannot("start this program again", io::Error::last_os_error()))
}

/// Where rank 0 meets the others.
fn meeting_place(managed: &Managed) -> Result<SocketAddr, Failure> {
    let host = match &managed.first_host {
        _ if managed.one_host => return Ok((Ipv4Addr::LOCALHOST, managed.port).into()),
        Some(host) => host,
        None => {
            let words = "nobody says on which host rank 0 runs: set DSTD_MEET=host for all ranks";
            return Err((exit::HOST, words.to_owned()));
        }
    };
    let unknown = |why: String| {
        (
            exit::HOST,
            format!("{host}, the host of rank 0, has no usable address ({why}): set DSTD_MEET=address"),
        )
    };
    let found =
        (host.as_str(), managed.port).to_socket_addrs().map_err(|error| unknown(error.to_string()))?;
    // Some hosts know their own name as an address of the loopback, where no other host finds them.
    let usable = found.filter(|address| !address.ip().is_loopback()).min_by_key(SocketAddr::is_ipv6);
    usable.ok_or_else(|| unknown("only on the loopback".to_owned()))
}

/// Where this node is reached by the others.
fn own_address(managed: &Managed, meeting: SocketAddr) -> Result<IpAddr, Failure> {
    if managed.rank == 0 || managed.one_host {
        return Ok(meeting.ip());
    }
    let any: SocketAddr = if meeting.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
    };
    // Sends nothing: the kernel chooses the route.
    let route = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(meeting)?;
        socket.local_addr()
    });
    let route =
        route.map_err(|error| (exit::HOST, format!("there is no way to rank 0 at {meeting}: {error}")))?;
    Ok(route.ip())
}

/// Waits until somebody listens there: ranks start in any order.
fn await_rank_0(meeting: SocketAddr, deadline: Instant) -> Result<(), Failure> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&meeting, left) {
            Ok(_) => return Ok(()),
            Err(_) if Instant::now() + TICK < deadline => std::thread::sleep(TICK),
            Err(error) => {
                return Err((
                    exit::TIMEOUT,
                    format!("rank 0 cannot be reached at {meeting} within {START:?}: {error}"),
                ));
            }
        }
    }
}

fn one_port(port: u16) -> Option<ports::PortRange> {
    port.to_string().parse().ok()
}

/// Starts a process that brings the nodes together and then ends. It dies with this one, and no `wait` of
/// the program sees it.
fn bring_together(listener: &TcpListener, secret: &Secret, size: u16, deadline: Instant) -> io::Result<()> {
    let parent = std::process::id();
    // SAFETY: a fork without a signal at the child's end; this process has one thread.
    match unsafe { raw::syscall(libc::SYS_clone, [0; 6]) } {
        0 => {}
        error @ ..0 => return Err(io::Error::from_raw_os_error(-error as i32)),
        _ => return Ok(()),
    }
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // Whoever reads what the program prints must not wait for this process.
    for fd in [libc::STDIN_FILENO, libc::STDOUT_FILENO] {
        // SAFETY: closes a descriptor that this process does not use.
        unsafe { libc::close(fd) };
    }
    // SAFETY: asks only.
    if unsafe { libc::getppid() } as u32 == parent
        && let Err((_, nodes)) = rendezvous::serve(listener, secret, size, deadline, &AtomicBool::new(false))
    {
        // Each node says why.
        drop(nodes.tell());
    }
    // SAFETY: ends a process without running what belongs to its parent.
    unsafe { libc::_exit(0) }
}

/// A pipe that holds the secret; its descriptor survives exec.
fn secret_pipe(secret: &Secret) -> io::Result<RawFd> {
    use std::io::Write;
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(secret.expose())?;
    inherited(&OwnedFd::from(reader))
}

/// A copy of `fd` above the standard streams that survives exec.
fn inherited(fd: &OwnedFd) -> io::Result<RawFd> {
    // SAFETY: no memory is involved.
    let copy = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD, 3) };
    if copy < 0 { Err(io::Error::last_os_error()) } else { Ok(copy) }
}

/// The environment of a node: the same for all, and what the program starts is no rank.
fn variables(environment: &NodeEnv) -> io::Result<Vec<CString>> {
    let ours = |name: &OsString| env::names().iter().any(|ours| name == *ours) || is_of_a_rank(name);
    let kept = std::env::vars_os().filter(|(name, _)| !ours(name));
    let told = environment.to_vars().into_iter().map(|(name, value)| (name.into(), value.into()));
    let all = kept.chain(told);
    let variable = |(name, value): (OsString, OsString)| {
        let mut text = name.into_vec();
        text.push(b'=');
        text.extend(value.into_vec());
        CString::new(text).map_err(io::Error::from)
    };
    all.map(variable).collect()
}
