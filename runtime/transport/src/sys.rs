//! The three system calls that std has no safe form of.
//!
//! Invariants: none of the memory model's; a descriptor is borrowed for the call only.
//! Layout: `IoSlice` is laid out like `iovec` (promised by std), `pollfd` is C's own.
//! Who may touch what: the caller's slices are borrowed until the call returns.
//! Why not safe code: std's vectored write raises SIGPIPE in a process that never ran Rust's
//! `main`; socket buffer sizes and `ppoll` are missing.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

/// Sends the slices as one vectored write without ever raising SIGPIPE; returns the bytes taken.
pub(crate) fn send_vectored(socket: BorrowedFd<'_>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let message = libc::msghdr {
        msg_name: ptr::null_mut(),
        msg_namelen: 0,
        // `sendmsg` only reads through it.
        msg_iov: slices.as_ptr().cast_mut().cast(),
        msg_iovlen: slices.len(),
        msg_control: ptr::null_mut(),
        msg_controllen: 0,
        msg_flags: 0,
    };
    loop {
        // SAFETY: `message` points to `slices`, which are borrowed for the whole call and have the
        // layout of `iovec`; the kernel reads them and writes nothing; the descriptor is open
        // because it is borrowed.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &message, libc::MSG_NOSIGNAL) };
        if let Ok(sent) = usize::try_from(sent) {
            return Ok(sent);
        }
        retry_interrupted(io::Error::last_os_error())?;
    }
}

/// Asks for socket buffers of `bytes`, `which` being `SO_SNDBUF` or `SO_RCVBUF`.
pub(crate) fn set_buffer(socket: BorrowedFd<'_>, which: libc::c_int, bytes: usize) -> io::Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    // SAFETY: the option's value is the local `bytes`, read during the call, with its own size;
    // the descriptor is open because it is borrowed.
    let failed = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            which,
            ptr::from_ref(&bytes).cast(),
            size_of_val(&bytes) as libc::socklen_t,
        )
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sleeps until one of `fds` is ready, the timeout has passed (`Some`), or a signal came; returns
/// how many are ready.
pub(crate) fn ppoll(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(timeout.subsec_nanos()),
    });
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `fds` is exclusively borrowed and its true length is passed; `timeout` is null or
    // points to a local that outlives the call; a null mask leaves signals as they are.
    let ready = unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout, ptr::null()) };
    if let Ok(ready) = usize::try_from(ready) {
        return Ok(ready);
    }
    retry_interrupted(io::Error::last_os_error())?;
    for fd in fds {
        fd.revents = 0;
    }
    Ok(0)
}

/// Swallows the error of a call that a signal interrupted.
fn retry_interrupted(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}
