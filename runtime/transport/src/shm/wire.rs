//! A link as a stream of bytes.

use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::sync::Arc;

use super::link::Link;
use super::receiver::Receiver;
use super::sender::Sender;
use crate::mesh::Wire;

/// After so many reads that found nothing, the kernel is asked whether the peer still lives. A
/// peer that leaves in good order is noticed at once; this is for one that was killed while its
/// peer spins. A sleeper hears of it from `ppoll`.
const READS_DEAF: u32 = 1024;

/// One end of a link in use.
pub struct ShmWire {
    link: Arc<Link>,
    sender: Sender,
    receiver: Receiver,
    /// Reads in a row that found nothing.
    idle: u32,
}

impl ShmWire {
    pub(super) fn over(link: Arc<Link>) -> ShmWire {
        let sender = Sender::new(link.layout.slots());
        ShmWire { link, sender, receiver: Receiver::new(), idle: 0 }
    }
}

impl Wire for ShmWire {
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.link.is_over() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        match self.sender.write(&self.link, slices)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.link.door().awake();
        // Asked before the ring is looked at: what was published before the end is seen then.
        let over = self.link.is_over();
        if over {
            self.receiver.stop_soon(&self.link);
        }
        let count = self.receiver.read(&self.link, into)?;
        if count > 0 || over {
            self.idle = 0;
            return Ok(count);
        }
        self.idle += 1;
        if self.idle == READS_DEAF {
            self.idle = 0;
            self.link.hear();
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn shutdown(&mut self) {
        self.link.end();
        self.receiver.stop_soon(&self.link);
    }

    /// None, so that a mesh looks at the ring instead of asking the kernel about the socket, which
    /// is silent while nobody sleeps. [`Shm`](super::Shm) knows how to sleep on it.
    fn fd(&self) -> Option<RawFd> {
        None
    }
}

impl Drop for ShmWire {
    fn drop(&mut self) {
        self.link.end();
    }
}
