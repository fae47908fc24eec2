//! What can go wrong when memory is mapped, taken over or freed from afar.

use core::fmt;
use core::ops::Range;

use dstd_addr::{HEAP_BYTES_MAX, NODES_MAX};

/// Why the ranges of this node could not be mapped.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum MapError {
    /// Somebody else has mapped a part of the range.
    Taken {
        /// The range that was wanted.
        range: Range<u64>,
    },
    /// The kernel does not grant so much address space.
    NoMemory {
        /// The range that was wanted.
        range: Range<u64>,
    },
    /// The kernel refused for another reason.
    Map {
        /// The range that was wanted.
        range: Range<u64>,
        /// What the kernel said.
        errno: i32,
    },
    /// The file behind the own heap could not be made.
    Memfd {
        /// What the kernel said.
        errno: i32,
    },
    /// The heap is too small, too large or not a multiple of 64 KiB.
    BadSize {
        /// The size that was asked for.
        heap_bytes: u64,
    },
    /// The rank or the number of nodes is impossible.
    BadRank {
        /// The rank that was asked for.
        rank: u16,
        /// The number of nodes that was asked for.
        nodes: u16,
    },
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MapError::Taken { range } => write!(
                f,
                "addresses {:#x}-{:#x} are in use by something else; run without preloaded libraries and tools that map memory there",
                range.start, range.end
            ),
            MapError::NoMemory { range } => write!(
                f,
                "no address space for {:#x}-{:#x}; raise `ulimit -v`, allow overcommit (vm.overcommit_memory=0 or 1) or choose a smaller heap",
                range.start, range.end
            ),
            MapError::Map { range, errno } => {
                write!(f, "cannot map {:#x}-{:#x}: errno {errno}", range.start, range.end)
            }
            MapError::Memfd { errno } => {
                write!(
                    f,
                    "cannot make the memory file of the heap: errno {errno}; raise `ulimit -n` or choose a smaller heap"
                )
            }
            MapError::BadSize { heap_bytes } => write!(
                f,
                "a heap of {heap_bytes} bytes is impossible; choose a multiple of 64 KiB from 1 MiB to {HEAP_BYTES_MAX} bytes"
            ),
            MapError::BadRank { rank, nodes } => write!(
                f,
                "rank {rank} of {nodes} nodes is impossible; ranks count from 0 and a program has 1 to {NODES_MAX} nodes"
            ),
        }
    }
}

impl core::error::Error for MapError {}

/// Why a [`crate::Heap`] could not take over its ranges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum InitError {
    /// The heap has its ranges already.
    Twice,
    /// A range is empty, too large or not aligned to 64 KiB.
    BadRange,
    /// The metadata range is too small for the heap range.
    NoMetadata,
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InitError::Twice => "this heap has its memory already; initialise it once",
            InitError::BadRange => "the range of a heap must be aligned to 64 KiB and not empty",
            InitError::NoMetadata => "the metadata range is too small for the heap; choose a smaller heap",
        })
    }
}

impl core::error::Error for InitError {}

/// Why an address that came from another node was not freed (HEAP-4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RemoteFreeError {
    /// The address is not in this heap.
    Foreign {
        /// The address.
        addr: u64,
    },
    /// Nothing that is live begins on that page.
    NeverAllocated {
        /// The address.
        addr: u64,
    },
    /// The address is inside a block, not at its start.
    Misplaced {
        /// The address.
        addr: u64,
    },
    /// The block has been freed and is not live again.
    DoubleFree {
        /// The address.
        addr: u64,
    },
    /// The heap is not initialised or its metadata is used up: the blocks are leaked.
    NoMetadata,
}

impl fmt::Display for RemoteFreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RemoteFreeError::Foreign { addr } => {
                write!(
                    f,
                    "HEAP-2: address {addr:#x} was sent to be freed here but is not in this node's heap"
                )
            }
            RemoteFreeError::NeverAllocated { addr } => {
                write!(f, "HEAP-4: address {addr:#x} was sent to be freed but is not allocated")
            }
            RemoteFreeError::Misplaced { addr } => {
                write!(f, "HEAP-4: address {addr:#x} was sent to be freed but is inside a block")
            }
            RemoteFreeError::DoubleFree { addr } => {
                write!(f, "HEAP-4: address {addr:#x} was sent to be freed twice")
            }
            RemoteFreeError::NoMetadata => {
                f.write_str("the heap has no metadata left; choose a larger private range")
            }
        }
    }
}

impl core::error::Error for RemoteFreeError {}
