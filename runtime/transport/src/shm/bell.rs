//! The socket that wakes a sleeper and tells of a death.

use std::io::{self, ErrorKind, IoSlice, Read};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use super::sys;

/// One end of a pair of stream sockets.
pub(super) struct Bell {
    socket: UnixStream,
}

impl Bell {
    /// Two connected ends.
    pub(super) fn pair() -> io::Result<(Bell, Bell)> {
        let (one, two) = UnixStream::pair()?;
        Ok((Bell::over(one)?, Bell::over(two)?))
    }

    /// An end that came from another process.
    pub(super) fn from_fd(fd: OwnedFd) -> io::Result<Bell> {
        sys::check_stream(&fd)?;
        let socket = UnixStream::from(fd);
        // It fails unless this is a connected Unix socket.
        socket.peer_addr()?;
        Bell::over(socket)
    }

    pub(super) fn into_fd(self) -> OwnedFd {
        self.socket.into()
    }

    fn over(socket: UnixStream) -> io::Result<Bell> {
        socket.set_nonblocking(true)?;
        Ok(Bell { socket })
    }

    /// Wakes the other side, or lets its next sleep end at once.
    pub(super) fn ring(&self) {
        // A full socket is one that rings already; that the peer is gone is noticed when hearing.
        crate::sys::send_vectored(self.socket.as_fd(), &[IoSlice::new(&[1])]).ok();
    }

    /// Takes in what rang so far; whether the other side is gone.
    pub(super) fn hear(&self) -> bool {
        let mut rings = [0; 64];
        loop {
            return match (&self.socket).read(&mut rings) {
                Ok(count) => count == 0,
                Err(error) if error.kind() == ErrorKind::WouldBlock => false,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // Reset: the peer died with a ring unheard.
                Err(_) => true,
            };
        }
    }

    /// Lets the other side, and this one, hear the end.
    pub(super) fn end(&self) {
        // It fails only if the other side has ended it already, which is what is wanted.
        self.socket.shutdown(Shutdown::Both).ok();
    }

    pub(super) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
