//! A node's counters and last words, in memory that outlives it.
//!
//! *Invariants.* The launcher makes one block a node and maps it; the node maps the same memory.
//! What the node has stored before it dies, by whatever death, the launcher can read afterwards:
//! the memory belongs to the memfd, not to a process.
//!
//! *Layout* (version 3; all `u64`, little-endian as the host):
//! ```text
//! version phase | ending origin code reason_len | threads_run peak_rss_bytes remote_frees
//! | fault service | heap_in_use_bytes heap_returned_bytes striped_peak_bytes
//! | faults read write upgrade | futex wait wake | pages evicted discarded | sent[32] { messages, bytes } | reason[512 bytes]
//! | rank image_bias | peers[64] { faults, messages, bytes } | hot pages (see [`hot`]) | blocks on them (see [`blocks`])
//! ```
//!
//! *Who may touch what, when.* The node writes, relaxed: each number stands alone. `sent`, `peers`, hot pages and blocks
//! are the engine thread's, but for the rows of striped blocks; all else any thread may write. Only `ending` is released,
//! and acquired by the launcher, so that the words before it are whole. The launcher reads at any time. Of a block that
//! a node maps it writes only `version`, before the node starts. The block of a node on another host is the launcher's
//! alone: it writes there what that host says ([`Stats::set_phase`], [`Stats::restore`]).
//!
//! *Why not safe code.* Memory shared by two processes has no safe wrapper in std.

use std::io;
use std::mem::size_of;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

use dstd_addr::NODES_MAX;

mod block;
pub mod blocks;
pub mod cell;
mod ending;
pub mod hot;

pub use block::StatsBlock;
pub use ending::{Ending, ExitKind};

use blocks::BlockTable;
use cell::add;
use hot::HotTable;

/// What the kernel calls the memory of a block.
pub const NAME: &std::ffi::CStr = c"dstd-stats";
/// Changes with the layout of [`Stats`].
pub const VERSION: u64 = 3;
/// Room for kinds of messages.
pub const KINDS_MAX: usize = 32;
/// A longer reason is cut.
pub const REASON_BYTES_MAX: usize = 512;

/// The names of message kinds, in the order of their numbers.
pub const KINDS: &[&str] = &[
    "page_request",
    "page_grant",
    "page_fetch",
    "page_return",
    "page_invalidate",
    "page_invalidated",
    "futex_wait",
    "futex_armed",
    "futex_cancel",
    "futex_cancelled",
    "futex_woken",
    "futex_wake",
    "futex_wake_done",
    "free",
    "ship",
    "page_evict",
    "page_discard",
    "page_discarded",
    "page_pass",
    "page_passed",
    "page_installed",
];

const _: () = assert!(KINDS.len() <= KINDS_MAX);

/// What was sent of one kind of message.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Sent {
    /// How many messages.
    pub messages: AtomicU64,
    /// Their bytes, headers included.
    pub bytes: AtomicU64,
}

/// What a node had to do with one node.
#[repr(C)]
#[derive(Debug)]
pub struct Peer {
    /// Faults on pages whose home it is; also on this node's own.
    pub faults: AtomicU64,
    /// What was sent to it.
    pub sent: Sent,
}

/// How a node serves page faults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultService {
    /// By userfaultfd, in system calls as well.
    Kernel = 1,
    /// By userfaultfd in user mode; system calls get copies.
    User = 2,
    /// By `SIGSEGV`; system calls get copies.
    Signal = 3,
}

impl FaultService {
    /// The best one first.
    pub const ALL: [FaultService; 3] = [FaultService::Kernel, FaultService::User, FaultService::Signal];

    /// What the report and the test variable call it.
    pub const fn name(self) -> &'static str {
        match self {
            FaultService::Kernel => "kernel",
            FaultService::User => "user",
            FaultService::Signal => "signal",
        }
    }
}

/// How far a node has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// Nothing of dstd has run in it.
    Born,
    /// It has mapped its statistics.
    Booting,
    /// All nodes were ready; user code may run.
    Running,
}

impl Phase {
    /// The first one first.
    pub const ALL: [Phase; 3] = [Phase::Born, Phase::Booting, Phase::Running];
}

/// The block itself. Counters are added to directly, relaxed.
#[repr(C)]
#[derive(Debug)]
pub struct Stats {
    version: AtomicU64,
    phase: AtomicU64,
    ending: AtomicU64,
    origin: AtomicU64,
    code: AtomicU64,
    reason_len: AtomicU64,
    /// User threads that ran on this node, `main` included.
    pub threads_run: AtomicU64,
    /// The most memory the process had resident. The launcher takes the larger of this and what the kernel says.
    pub peak_rss_bytes: AtomicU64,
    /// Allocations of other nodes that this node gave back.
    pub remote_frees: AtomicU64,
    fault_service: AtomicU64,
    /// Bytes of the heap's spans and large blocks, and of promised stripes, when it was last looked.
    pub heap_in_use_bytes: AtomicU64,
    /// Bytes of freed memory that went back to the system.
    pub heap_returned_bytes: AtomicU64,
    /// The most bytes that this node has promised to large blocks over all nodes.
    pub striped_peak_bytes: AtomicU64,
    /// Read faults on absent pages.
    pub faults_read: AtomicU64,
    /// Write faults on absent pages.
    pub faults_write: AtomicU64,
    /// Write faults on pages that were readable.
    pub faults_upgrade: AtomicU64,
    /// Waits on words with a home.
    pub futex_wait: AtomicU64,
    /// Wakes on words with a home.
    pub futex_wake: AtomicU64,
    /// Pages of other nodes that this node gave up because it held too many.
    pub pages_evicted: AtomicU64,
    /// Own pages that went back to the system.
    pub pages_discarded: AtomicU64,
    /// What was sent, by kind of message.
    pub sent: [Sent; KINDS_MAX],
    reason: [AtomicU64; REASON_BYTES_MAX / 8],
    /// Which node it is, from its boot on.
    pub rank: AtomicU64,
    /// What is to be subtracted from the address of an instruction of the program to get its address in the file.
    pub image_bias: AtomicU64,
    /// By rank: the other nodes, and this one.
    pub peers: [Peer; NODES_MAX as usize],
    /// The pages on which this node's threads fault most.
    pub hot: HotTable,
    /// What lies on the pages of this node that are asked for most.
    pub blocks: BlockTable,
}

impl Stats {
    /// Counts a message of `kind` to node `to`; kinds beyond [`KINDS_MAX`] are counted as the last one. Only one thread may
    /// call this (the engine): it takes no bus lock.
    pub fn add_sent(&self, to: u16, kind: usize, bytes: u64) {
        let by_kind = &self.sent[kind.min(KINDS_MAX - 1)];
        let by_peer = self.peers.get(usize::from(to)).map(|peer| &peer.sent);
        for sent in [Some(by_kind), by_peer].into_iter().flatten() {
            add(&sent.messages, 1);
            add(&sent.bytes, bytes);
        }
    }

    /// Notes how this node serves page faults.
    pub fn set_fault_service(&self, service: FaultService) {
        self.fault_service.store(service as u64, Relaxed);
    }

    /// How the node serves page faults, if it does.
    pub fn fault_service(&self) -> Option<FaultService> {
        let number = self.fault_service.load(Relaxed);
        FaultService::ALL.into_iter().find(|&service| service as u64 == number)
    }

    /// Notes how far the node has come.
    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u64, Relaxed);
    }

    /// How far the node has come.
    pub fn phase(&self) -> Phase {
        let number = self.phase.load(Relaxed);
        Phase::ALL.into_iter().find(|phase| *phase as u64 == number).unwrap_or(Phase::Running)
    }
}

/// A block is smaller than any sensible limit of file sizes.
const _: () = assert!(size_of::<Stats>() <= 48 << 10);

/// How many numbers a block is.
const WORDS: usize = size_of::<Stats>() / size_of::<AtomicU64>();

impl Stats {
    /// All there is in the block, for a launcher on another host.
    pub fn snapshot(&self) -> Vec<u8> {
        // Acquire: as in `ending`. Read before the rest, so that an ending has its words with it.
        let ending = self.ending.load(Acquire);
        let mut numbers: Vec<u64> = self.words().iter().map(|word| word.load(Relaxed)).collect();
        numbers[std::mem::offset_of!(Stats, ending) / size_of::<AtomicU64>()] = ending;
        numbers.into_iter().flat_map(u64::to_le_bytes).collect()
    }

    /// Makes this block say what [`Stats::snapshot`] of another one said.
    ///
    /// # Errors
    /// When `bytes` are no snapshot of this version; nothing is changed then.
    pub fn restore(&self, bytes: &[u8]) -> io::Result<()> {
        let (numbers, []) = bytes.as_chunks::<8>() else { return Err(no_snapshot()) };
        if numbers.len() != WORDS || u64::from_le_bytes(numbers[0]) != VERSION {
            return Err(no_snapshot());
        }
        for (word, number) in self.words().iter().zip(numbers) {
            word.store(u64::from_le_bytes(*number), Relaxed);
        }
        Ok(())
    }

    /// All numbers, in the order of the layout.
    fn words(&self) -> &[AtomicU64; WORDS] {
        let words = std::ptr::from_ref(self).cast::<[AtomicU64; WORDS]>();
        // SAFETY: the block is `repr(C)` and consists of `AtomicU64` only, so it is such an array;
        // it is borrowed as long as `self`.
        unsafe { &*words }
    }
}

fn no_snapshot() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no statistics of this version")
}
