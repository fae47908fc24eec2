//! Nodes: out-of-line carriers of up to [`BATCH_ADDRS`] addresses.
//!
//! *Invariants*: HEAP-3: an address is in one node, one cache or one owner's hands.
//!
//! *Layout*: one arena block.
//! ```text
//! | link u32 | len u32 | 126 addresses u64 | unused u64 |      1024 bytes
//! ```
//!
//! *Who may touch what, when*: `link` belongs to the stack the node is on. The rest belongs to
//! the thread that has taken the node off; the stack's release and acquire hand it over.
//!
//! *Why not safe code*: a node lies in the arena and is found by index.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::arena::{Arena, BLOCK_BYTES};

/// The most addresses a batch carries.
pub const BATCH_ADDRS: usize = 126;

#[repr(C)]
pub(crate) struct Node {
    link: AtomicU32,
    len: AtomicU32,
    addrs: [AtomicU64; BATCH_ADDRS],
    _unused: u64,
}

const _: () = assert!(size_of::<Node>() == BLOCK_BYTES);

impl Node {
    /// The node in block `index`, which must have been taken as a node.
    pub(crate) fn at(arena: &Arena, index: u32) -> &Node {
        // SAFETY: inside the arena (checked by `block`), aligned, zeroed or written as a node
        // before; all fields are atomics, so shared access is sound whatever they hold.
        unsafe { arena.block(index).cast::<Node>().as_ref() }
    }

    pub(crate) fn len(&self) -> usize {
        (self.len.load(Ordering::Relaxed) as usize).min(BATCH_ADDRS)
    }

    pub(crate) fn set_len(&self, len: usize) {
        debug_assert!(len <= BATCH_ADDRS);
        self.len.store(len as u32, Ordering::Relaxed);
    }

    pub(crate) fn get(&self, at: usize) -> u64 {
        self.addrs[at].load(Ordering::Relaxed)
    }

    /// Appends `addr`; false when the node was full.
    pub(crate) fn push(&self, addr: u64) -> bool {
        let len = self.len();
        let Some(slot) = self.addrs.get(len) else { return false };
        slot.store(addr, Ordering::Relaxed);
        self.set_len(len + 1);
        true
    }

    /// Makes the node hold exactly `addrs`, at most [`BATCH_ADDRS`].
    pub(crate) fn fill(&self, addrs: &[u64]) {
        debug_assert!(addrs.len() <= BATCH_ADDRS);
        for (slot, addr) in self.addrs.iter().zip(addrs) {
            slot.store(*addr, Ordering::Relaxed);
        }
        self.set_len(addrs.len());
    }

    /// Copies what the node holds to the start of `out`; how many that were.
    pub(crate) fn copy_to(&self, out: &mut [u64]) -> usize {
        let len = self.len().min(out.len());
        for (slot, out) in self.addrs[..len].iter().zip(out) {
            *out = slot.load(Ordering::Relaxed);
        }
        len
    }

    /// What the node holds, as a slice.
    ///
    /// # Safety
    /// - The caller must have taken the node off its stack and nobody else may write it while
    ///   the slice lives.
    pub(crate) unsafe fn as_slice(&self) -> &[u64] {
        let first = self.addrs.as_ptr().cast::<u64>();
        // SAFETY: an AtomicU64 has the layout of a u64, `len` is at most the array's length, and
        // nobody writes the node meanwhile (this function's contract).
        unsafe { core::slice::from_raw_parts(first, self.len()) }
    }
}
