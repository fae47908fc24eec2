//! How the MMU is told what the directory has decided, and how it tells who touched what.
//!
//! [`Memory`](super::Memory) knows which kind of page needs which of these; a mechanism knows
//! pages only as ranges.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use super::moved;
use super::segv::Segv;
use super::uffd::Uffd;

/// Events for absent pages.
pub(crate) const MISSING: u64 = 1;
/// Events for writes to write-protected pages.
pub(crate) const WP: u64 = 2;
/// Events for pages that are in the page cache but not mapped.
pub(crate) const MINOR: u64 = 4;

/// A thread that waits for a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) address: u64,
    pub(crate) write: bool,
    /// The kernel's number of it.
    pub(crate) thread: u32,
    /// The instruction and the stack pointer, where they are known at once.
    pub(crate) at: Option<At>,
}

/// Where a thread was when it touched a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct At {
    pub(crate) instruction: u64,
    pub(crate) stack: u64,
}

/// The mechanism that this node uses.
#[derive(Debug)]
pub(crate) enum Faults {
    /// The kernel stops the thread and writes an event.
    Uffd(Uffd),
    /// The kernel sends the thread a `SIGSEGV`, whose handler waits for the engine.
    Segv(Segv),
}

/// Passes a call on to the mechanism.
macro_rules! to_mechanism {
    ($self:ident.$name:ident($($arg:expr),*)) => {
        match $self {
            Faults::Uffd(uffd) => uffd.$name($($arg),*),
            Faults::Segv(segv) => segv.$name($($arg),*),
        }
    };
}

/// Failures are what the kernel says; none of these is expected to fail.
impl Faults {
    /// Asks for events of `len` bytes from `start`; `mode` is a sum of [`MISSING`], [`WP`], [`MINOR`].
    pub(super) fn register(&self, start: u64, len: u64, mode: u64) -> io::Result<()> {
        to_mechanism!(self.register(start, len, mode))
    }

    /// Makes mapped pages read-only (`protect`) or writable again; the latter wakes waiters.
    pub(super) fn write_protect(&self, start: u64, len: u64, protect: bool) -> io::Result<()> {
        to_mechanism!(self.write_protect(start, len, protect))
    }

    /// Takes pages away from user threads. Own heap pages keep their bytes in the alias.
    pub(super) fn unmap(&self, start: u64, len: u64) -> io::Result<()> {
        moved::note(start, len, false);
        to_mechanism!(self.unmap(start, len))
    }

    /// Takes own pages outside the heap away whose bytes nobody needs.
    pub(super) fn discard(&self, start: u64, len: u64) -> io::Result<()> {
        moved::note(start, len, false);
        match self {
            Faults::Uffd(uffd) => uffd.unmap(start, len),
            Faults::Segv(segv) => segv.discard(start, len),
        }
    }

    /// Gives absent pages to user threads with a copy of `bytes` and wakes waiters.
    pub(super) fn copy(&self, start: u64, bytes: &[u8], writable: bool) -> io::Result<()> {
        let result = to_mechanism!(self.copy(start, bytes, writable));
        moved::note(start, bytes.len() as u64, true);
        result
    }

    /// Makes never-touched own pages outside the heap readable for the engine, as zeros.
    pub(super) fn zero(&self, start: u64, len: u64) -> io::Result<()> {
        to_mechanism!(self.zero(start, len))
    }

    /// Gives own heap pages back to user threads as the alias shows them, and wakes waiters.
    pub(super) fn resume(&self, start: u64, len: u64, writable: bool) -> io::Result<()> {
        let result = to_mechanism!(self.resume(start, len, writable));
        moved::note(start, len, true);
        result
    }

    /// Wakes the threads that wait in a range; they touch their page again.
    pub(super) fn wake(&self, start: u64, len: u64) -> io::Result<()> {
        to_mechanism!(self.wake(start, len))
    }

    /// Takes the faults that have arrived, without blocking.
    pub(super) fn read(&mut self, faults: &mut Vec<Fault>) -> io::Result<()> {
        to_mechanism!(self.read(faults))
    }

    /// What becomes readable when faults arrive, if anything does.
    pub(super) fn fd(&self) -> Option<RawFd> {
        match self {
            Faults::Uffd(uffd) => Some(uffd.as_raw_fd()),
            Faults::Segv(_) => None,
        }
    }

    /// Whether faults have arrived of which no descriptor tells.
    pub(super) fn has_arrived(&self) -> bool {
        match self {
            Faults::Uffd(_) => false,
            Faults::Segv(segv) => segv.has_arrived(),
        }
    }
}
