//! A mesh in memory, for tests.
//!
//! Its wires are pipes of bytes that can be made as nasty as a stream may be: tiny, and giving or
//! taking one byte, or a random number of bytes, at a time. Nothing is lost and the order is kept,
//! so whatever goes wrong on them is the fault of what is tested.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read};
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dstd_addr::NodeId;

use crate::Limits;
use crate::mesh::{Mesh, Wire, connect_all};

/// A [`Transport`](crate::Transport) in memory. It has no descriptors: poll it.
pub type Stub = Mesh<StubWire>;

/// How nasty the pipes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Bytes that one direction of a wire holds. With less than a frame, a frame is under way
    /// while the next one waits: a queue of one entry.
    pub pipe_bytes: usize,
    /// How much one read or write moves.
    pub piece: Piece,
}

/// How much one read or write moves at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece {
    /// As much as there is.
    All,
    /// One byte.
    Byte,
    /// Between one byte and 10000, most often few, chosen by this seed.
    Random(u64),
}

impl Default for Options {
    fn default() -> Options {
        Options { pipe_bytes: 256 << 10, piece: Piece::All }
    }
}

/// The transports of `nodes` connected nodes, in the order of their ranks.
pub fn mesh(nodes: u16, limits: Limits, options: Options) -> Vec<Stub> {
    let wires = connect_all(nodes, || pair(options));
    wires.into_iter().zip(0..).map(|(wires, rank)| Mesh::over(NodeId(rank), wires, limits)).collect()
}

/// The two ends of one wire.
pub fn pair(options: Options) -> (StubWire, StubWire) {
    assert!(options.pipe_bytes > 0, "a pipe that holds nothing moves nothing");
    let pipe = || Arc::new(Mutex::new(Pipe::default()));
    let (there, back) = (pipe(), pipe());
    let end = |read: &Arc<Mutex<Pipe>>, write: &Arc<Mutex<Pipe>>, salt| StubWire {
        read: read.clone(),
        write: write.clone(),
        pipe_bytes: options.pipe_bytes,
        piece: match options.piece {
            Piece::Random(seed) => Piece::Random(seed ^ salt),
            piece => piece,
        },
    };
    (end(&back, &there, 0), end(&there, &back, 1 << 63))
}

/// One end of a pair of pipes. Dropping it ends both.
pub struct StubWire {
    read: Arc<Mutex<Pipe>>,
    write: Arc<Mutex<Pipe>>,
    pipe_bytes: usize,
    piece: Piece,
}

#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    /// No more bytes will come; those that came may still be read.
    ended: bool,
}

impl StubWire {
    /// Bytes that the next read or write may move.
    fn piece(&mut self) -> usize {
        match &mut self.piece {
            Piece::All => usize::MAX,
            Piece::Byte => 1,
            Piece::Random(state) => {
                let random = split_mix(state);
                let most = [1, 8, 100, 10_000][(random >> 62) as usize];
                1 + (random % most) as usize
            }
        }
    }
}

impl Wire for StubWire {
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let piece = self.piece();
        let mut pipe = lock(&self.write);
        if pipe.ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = piece.min(self.pipe_bytes - pipe.bytes.len());
        if room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut left = room;
        for slice in slices {
            let count = left.min(slice.len());
            pipe.bytes.extend(&slice[..count]);
            left -= count;
        }
        Ok(room - left)
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let piece = self.piece();
        let mut pipe = lock(&self.read);
        if pipe.bytes.is_empty() && !pipe.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let most = piece.min(into.len());
        pipe.bytes.read(&mut into[..most])
    }

    fn shutdown(&mut self) {
        lock(&self.read).ended = true;
        lock(&self.write).ended = true;
    }

    fn fd(&self) -> Option<RawFd> {
        None
    }
}

impl Drop for StubWire {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// A pipe is whole between any two operations, also after a panic elsewhere.
fn lock(pipe: &Mutex<Pipe>) -> MutexGuard<'_, Pipe> {
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next number of Steele, Lea and Flood's SplitMix64.
pub(crate) fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{Fabric, Scale, StreamFabric};

    struct Pipes {
        options: Options,
        scale: Scale,
    }

    impl Fabric for Pipes {
        type Node = Stub;

        fn mesh(&self, nodes: u16, limits: Limits) -> Vec<Stub> {
            mesh(nodes, limits, self.options)
        }

        fn scale(&self) -> Scale {
            self.scale
        }
    }

    impl StreamFabric for Pipes {
        type Raw = StubWire;

        fn raw(&self, limits: Limits) -> (Stub, StubWire) {
            let (wire, raw) = pair(self.options);
            (Mesh::over(NodeId(0), vec![None, Some(wire)], limits), raw)
        }
    }

    fn roomy() -> Pipes {
        Pipes { options: Options::default(), scale: Scale { bulk_bytes: 16 << 20, ..Scale::default() } }
    }

    /// Tiny pipes move little per round, so the tests send less through them.
    fn slow(pipe_bytes: usize, piece: Piece) -> Pipes {
        let scale = Scale { body_bytes_max: 20_000, bulk_bytes: 100_000, frames: 300 };
        Pipes { options: Options { pipe_bytes, piece }, scale }
    }

    crate::conformance_suite!(memory, roomy());
    crate::conformance_suite!(one_entry, slow(40, Piece::All));
    crate::conformance_suite!(one_byte, slow(1, Piece::Byte));
    crate::conformance_suite!(byte_at_a_time, slow(1000, Piece::Byte));
    crate::conformance_suite!(random_pieces, slow(5000, Piece::Random(1)));
    crate::conformance_stream_suite!(memory_stream, roomy());
    crate::conformance_stream_suite!(one_byte_stream, slow(1, Piece::Byte));
    crate::conformance_stream_suite!(random_pieces_stream, slow(5000, Piece::Random(2)));
}
