//! Accepting peers without a thread per peer: no stranger can hold up the others.
//!
//! *Invariants.* A guest's bytes reach nobody before [`Guest::trusted`]; until then exactly the
//! handshake's fixed sizes are read from it. Guests that have not proved themselves are bounded in
//! number ([`STRANGERS_MAX`]) and time ([`PROOF_WAIT`]).
//! *Layout.* None of its own.
//! *Who may touch what, when.* One thread owns the lobby.
//! *Why not safe code.* `poll(2)` has no wrapper in std.

use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::secret::{Purpose, Secret, Server, Step, write_by};
use crate::wire::FRAME_BYTES_MAX;

/// How many connections may be unproved at the same time; the oldest makes room.
const STRANGERS_MAX: usize = 256;
/// How long a connection may take to prove itself.
const PROOF_WAIT: Duration = Duration::from_secs(10);
/// A guest that does not take its small messages for so long is dropped.
const SEND_WAIT: Duration = Duration::from_secs(5);

/// A connection that was accepted.
pub(crate) struct Guest {
    stream: TcpStream,
    auth: Server,
    trusted: bool,
    arrived: Instant,
    /// What a trusted guest sent and nobody took yet.
    pub(crate) inbox: Vec<u8>,
}

impl Guest {
    /// Reads what is there; fails when the guest is gone or must go.
    fn pump(&mut self, secret: &Secret) -> io::Result<()> {
        loop {
            let room = if self.trusted { FRAME_BYTES_MAX } else { self.auth.wants() } - self.inbox.len();
            let mut chunk = [0; 1024];
            let window = room.min(chunk.len());
            if window == 0 {
                return if self.trusted { Ok(()) } else { self.judge(secret) };
            }
            match self.stream.read(&mut chunk[..window]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(got) => self.inbox.extend_from_slice(&chunk[..got]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if !self.trusted && self.inbox.len() == self.auth.wants() {
                self.judge(secret)?;
            }
        }
    }

    fn judge(&mut self, secret: &Secret) -> io::Result<()> {
        let message = std::mem::take(&mut self.inbox);
        let step = self.auth.receive(secret, &message);
        match step.map_err(|error| io::Error::new(io::ErrorKind::PermissionDenied, error))? {
            Step::Answer(answer) => self.send(&answer),
            Step::Trusted => {
                self.trusted = true;
                Ok(())
            }
        }
    }

    /// Sends a small message; a guest that does not take it in time has an error.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.set_nonblocking(false)?;
        write_by(&mut self.stream, bytes, Instant::now() + SEND_WAIT)?;
        self.stream.set_nonblocking(true)
    }

    /// The connection, blocking, for whoever talks to the guest from now on.
    pub(crate) fn into_stream(self) -> io::Result<TcpStream> {
        self.stream.set_nonblocking(false)?;
        self.stream.set_read_timeout(None)?;
        self.stream.set_write_timeout(None)?;
        Ok(self.stream)
    }
}

/// A listener and the connections it has accepted.
pub(crate) struct Lobby<'a> {
    listener: &'a TcpListener,
    secret: &'a Secret,
    purpose: Purpose,
    guests: Vec<Option<Guest>>,
    dropped: u32,
}

impl<'a> Lobby<'a> {
    /// Opens the door; the listener is non-blocking from here on.
    pub(crate) fn new(listener: &'a TcpListener, secret: &'a Secret, purpose: Purpose) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Lobby { listener, secret, purpose, guests: Vec::new(), dropped: 0 })
    }

    /// How many connections went away or were sent away before they had proved themselves.
    pub(crate) const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Waits up to `timeout` for news, then gives each trusted guest that has something in its
    /// inbox, or has left (`None`), to `visit`. A visitor that answers `Leave` takes the guest out.
    pub(crate) fn turn(
        &mut self,
        timeout: Duration,
        mut visit: impl FnMut(usize, Visit<'_>) -> Verdict,
    ) -> io::Result<()> {
        let fds: Vec<BorrowedFd<'_>> = std::iter::once(self.listener.as_fd())
            .chain(self.guests.iter().flatten().map(|guest| guest.stream.as_fd()))
            .collect();
        wait_readable(&fds, timeout)?;
        self.accept_all()?;
        for seat in 0..self.guests.len() {
            let Some(guest) = &mut self.guests[seat] else { continue };
            let alive = guest.pump(self.secret).is_ok();
            let trusted = guest.trusted;
            let verdict = match (trusted, alive) {
                (true, _) if !guest.inbox.is_empty() => match visit(seat, Visit::Speaks(guest)) {
                    Verdict::Keep if !alive => visit(seat, Visit::Left),
                    verdict => verdict,
                },
                (true, true) => Verdict::Keep,
                (true, false) => visit(seat, Visit::Left),
                (false, true) if guest.arrived.elapsed() < PROOF_WAIT => Verdict::Keep,
                (false, _) => Verdict::Leave,
            };
            if matches!(verdict, Verdict::Leave) || !alive {
                self.guests[seat] = None;
                self.dropped += u32::from(!trusted);
            }
        }
        Ok(())
    }

    /// Takes a guest out to talk to it alone.
    pub(crate) fn take(&mut self, seat: usize) -> Option<Guest> {
        self.guests.get_mut(seat)?.take()
    }

    /// Whether a guest is here that has proved itself.
    pub(crate) fn has_trusted(&self) -> bool {
        self.guests.iter().flatten().any(|guest| guest.trusted)
    }

    /// Says the same to all trusted guests; those that cannot hear it are dropped.
    pub(crate) fn tell_all(&mut self, bytes: &[u8]) {
        for seat in &mut self.guests {
            if seat.as_mut().is_some_and(|guest| guest.trusted && guest.send(bytes).is_err()) {
                *seat = None;
            }
        }
    }

    fn accept_all(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.admit(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // The peer was gone before it was accepted, or a signal came.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted
                            | io::ErrorKind::ConnectionReset
                            | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn admit(&mut self, stream: TcpStream) {
        if stream.set_nonblocking(true).and(stream.set_nodelay(true)).is_err() {
            self.dropped += 1;
            return;
        }
        let strangers = self.guests.iter().flatten().filter(|guest| !guest.trusted);
        if strangers.clone().count() >= STRANGERS_MAX {
            let oldest = strangers.map(|guest| guest.arrived).min();
            let seat = self.guests.iter_mut().find(|seat| {
                seat.as_ref().is_some_and(|guest| !guest.trusted && Some(guest.arrived) == oldest)
            });
            if let Some(seat) = seat {
                *seat = None;
                self.dropped += 1;
            }
        }
        let guest = Guest {
            stream,
            auth: Server::new(self.purpose),
            trusted: false,
            arrived: Instant::now(),
            inbox: Vec::new(),
        };
        match self.guests.iter_mut().find(|seat| seat.is_none()) {
            Some(seat) => *seat = Some(guest),
            None => self.guests.push(Some(guest)),
        }
    }
}

/// Why a trusted guest is visited.
pub(crate) enum Visit<'a> {
    /// It sent something.
    Speaks(&'a mut Guest),
    /// It closed the connection.
    Left,
}

/// What becomes of a guest after a visit.
pub(crate) enum Verdict {
    Keep,
    Leave,
}

/// Waits until one of `fds` is readable, closed or failed, at most `timeout`; a signal ends the wait early.
fn wait_readable(fds: &[BorrowedFd<'_>], timeout: Duration) -> io::Result<()> {
    let mut set: Vec<libc::pollfd> =
        fds.iter().map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }).collect();
    let count = libc::nfds_t::try_from(set.len()).expect("a count of descriptors fits");
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: `set` is a live, writable array of `count` entries; the descriptors are borrowed and stay open.
    let ready = unsafe { libc::poll(set.as_mut_ptr(), count, millis) };
    if ready < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(())
}
