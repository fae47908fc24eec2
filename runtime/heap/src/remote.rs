//! Frees that cross nodes: collected for another home, accepted from one.
//!
//! *Invariants*: HEAP-2: only the home frees; others send addresses. HEAP-4: an address that came
//! from the wire is checked against the tables before it is believed. ISO-1: [`Heap::accept_remote`]
//! runs on the engine thread: it takes no lock and touches no block.
//!
//! *Layout*: a set of nodes, one for each foreign home, for each cache; a stack of nodes at home; a pending bit for
//! 16 bytes of the heap, set from acceptance to drain.
//!
//! *Who may touch what, when*: a node that is out of its set belongs to whoever has taken it out: the
//! thread that adds to it, or anybody who sends it. A [`RemoteBatch`] owns its node until it is recycled.
//!
//! *Why not safe code*: a batch's addresses are read as a slice out of the arena.
//!
//! What cannot be told: a second free of a block that was drained and is free or reused by now,
//! and a free of a block of a span that was not handed out yet. Peers run the same authenticated
//! program, whose safe code frees a block once (COH-1).

use core::sync::atomic::{AtomicU32, Ordering};

use dstd_addr::{NODES_MAX, NodeId};

use crate::cache::ThreadCache;
use crate::error::RemoteFreeError;
use crate::heap::{Heap, Inner, Place};
use crate::node::{BATCH_ADDRS, Node};

/// Addresses to be freed at one home. Hand it to [`Heap::recycle`] after it was sent.
#[must_use = "a batch that is not sent leaks its blocks"]
pub struct RemoteBatch {
    home: NodeId,
    index: u32,
    heap: &'static Inner,
}

impl RemoteBatch {
    /// Where the addresses belong.
    pub fn home(&self) -> NodeId {
        self.home
    }

    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// The addresses: 1 to [`BATCH_ADDRS`].
    pub fn addrs(&self) -> &[u64] {
        // SAFETY: the batch owns its node until it is recycled, and recycling consumes it.
        unsafe { Node::at(&self.heap.arena, self.index).as_slice() }
    }
}

/// What one cache has collected for each home: a batch, or 0. An arena block that stays for ever.
#[repr(C)]
pub(crate) struct RemoteSet {
    /// The set that was made before this one, a block index.
    next: AtomicU32,
    batches: [AtomicU32; NODES_MAX as usize],
}

impl RemoteSet {
    /// A new, empty set of `heap`, in the list of all.
    pub(crate) fn create(heap: &'static Inner) -> Option<&'static RemoteSet> {
        let index = heap.arena.take(size_of::<RemoteSet>())?;
        let set = RemoteSet::at(heap, index);
        let mut head = heap.remote_sets.load(Ordering::Relaxed);
        loop {
            set.next.store(head, Ordering::Relaxed);
            // Release: pairs with the acquire in `Heap::take_waiting`.
            match heap.remote_sets.compare_exchange_weak(head, index, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return Some(set),
                Err(now) => head = now,
            }
        }
    }

    fn at(heap: &'static Inner, index: u32) -> &'static RemoteSet {
        // SAFETY: inside the arena (checked by `block`), aligned, zeroed when it was taken for a set; all
        // fields are atomics, so shared access is sound.
        unsafe { heap.arena.block(index).cast::<RemoteSet>().as_ref() }
    }

    /// The next batch that is not empty, whatever its home.
    pub(crate) fn take(&self, heap: &'static Inner) -> Option<RemoteBatch> {
        self.batches.iter().enumerate().find_map(|(home, batch)| {
            // Most are empty, and an exchange is dear.
            if batch.load(Ordering::Relaxed) == 0 {
                return None;
            }
            // Acquire: pairs with the release in `free_remote`.
            let index = batch.swap(0, Ordering::Acquire);
            (index != 0).then_some(RemoteBatch { home: NodeId(home as u16), index, heap })
        })
    }
}

impl ThreadCache {
    /// Notes that the block at `addr` is to be freed at `home`; a batch when one is full.
    ///
    /// # Panics
    /// When `home` is not a possible node.
    #[must_use = "a batch that is not sent leaks its blocks"]
    pub fn free_remote(&mut self, home: NodeId, addr: u64) -> Option<RemoteBatch> {
        let heap = self.heap;
        heap.remote_sent.fetch_add(1, Ordering::Relaxed);
        let place = &self.remote.batches[home.index()];
        // The batch is ours while it is out of its place. Acquire: its contents are as they were left by
        // the release below.
        let index = match place.swap(0, Ordering::Acquire) {
            0 => match heap.spare_node() {
                Some(index) => index,
                None => {
                    heap.count_leaked(1);
                    return None;
                }
            },
            index => index,
        };
        let node = Node::at(&heap.arena, index);
        let kept = node.push(addr);
        debug_assert!(kept, "a full node leaves at once");
        if node.len() == BATCH_ADDRS {
            return Some(RemoteBatch { home, index, heap });
        }
        place.store(index, Ordering::Release);
        None
    }

    /// The next batch that is not empty, whatever its home; `None` when all are taken.
    pub fn take_remote(&mut self) -> Option<RemoteBatch> {
        self.remote.take(self.heap)
    }
}

impl Heap {
    /// The next batch that some cache has collected and not sent, whichever thread owns the cache. Lock-free.
    pub fn take_waiting(&self) -> Option<RemoteBatch> {
        let heap = self.inner()?;
        let mut at = heap.remote_sets.load(Ordering::Acquire);
        while at != 0 {
            let set = RemoteSet::at(heap, at);
            if let Some(batch) = set.take(heap) {
                return Some(batch);
            }
            at = set.next.load(Ordering::Relaxed);
        }
        None
    }

    /// Takes back the carrier of a batch that was sent.
    pub fn recycle(&self, batch: RemoteBatch) {
        batch.heap.recycle_node(batch.index);
    }

    /// Accepts blocks of this heap that another node has freed. They are reused by the next
    /// threads that run out of blocks. Lock-free; touches no block.
    ///
    /// # Errors
    /// The first address that was refused and why; the good ones are accepted all the same.
    pub fn accept_remote(&self, addrs: &[u64]) -> Result<(), RemoteFreeError> {
        let inner = self.inner().ok_or(RemoteFreeError::NoMetadata)?;
        addrs.chunks(BATCH_ADDRS).map(|chunk| inner.accept(chunk)).fold(Ok(()), Result::and)
    }
}

impl Inner {
    fn accept(&self, addrs: &[u64]) -> Result<(), RemoteFreeError> {
        let index = self.spare_node().ok_or(RemoteFreeError::NoMetadata)?;
        let node = Node::at(&self.arena, index);
        let mut result = Ok(());
        for addr in addrs {
            match self.check(*addr) {
                Ok(()) => {
                    let kept = node.push(*addr);
                    debug_assert!(kept, "a chunk is at most one node");
                }
                Err(error) => {
                    self.remote_rejected.fetch_add(1, Ordering::Relaxed);
                    result = result.and(Err(error));
                }
            }
        }
        self.remote_received.fetch_add(node.len() as u64, Ordering::Relaxed);
        if node.len() > 0 {
            self.incoming.push(&self.arena, index);
        } else {
            self.recycle_node(index);
        }
        result
    }

    /// HEAP-4: whether `addr` may be the start of a live block; if so it is marked as pending.
    fn check(&self, addr: u64) -> Result<(), RemoteFreeError> {
        if !self.contains(addr) {
            return Err(RemoteFreeError::Foreign { addr });
        }
        match self.place(addr) {
            Place::Span(class, start) => {
                let offset = (addr - start) as usize;
                let is_block = offset.is_multiple_of(class.size()) && offset / class.size() < class.blocks();
                if !is_block {
                    return Err(RemoteFreeError::Misplaced { addr });
                }
            }
            Place::Page(page) => {
                if self.runs.live_len(page).is_none() {
                    return Err(RemoteFreeError::NeverAllocated { addr });
                }
                if addr != self.page_addr(page) {
                    return Err(RemoteFreeError::Misplaced { addr });
                }
            }
        }
        let (word, bit) = self.pending_bit(addr);
        // Acquire and release with `clear_pending`: whoever finds the bit clear sees the drain.
        if self.pending[word].fetch_or(bit, Ordering::AcqRel) & bit != 0 {
            return Err(RemoteFreeError::DoubleFree { addr });
        }
        Ok(())
    }

    pub(crate) fn clear_pending(&self, addr: u64) {
        let (word, bit) = self.pending_bit(addr);
        self.pending[word].fetch_and(!bit, Ordering::AcqRel);
    }

    fn pending_bit(&self, addr: u64) -> (usize, u64) {
        let granule = (addr - self.start) / 16;
        ((granule / 64) as usize, 1 << (granule % 64))
    }
}
