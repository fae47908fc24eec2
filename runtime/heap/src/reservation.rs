//! The ranges of a node as memory, and the only place where a global address becomes a pointer.
//!
//! *Invariants*: ADDR-1, HEAP-1, HEAP-4.
//!
//! *Layout* of what is mapped at node 1 of 3 (`h` = the heap's size; see `dstd-addr`):
//! ```text
//!                 private slice   alias of heap   partition: heap (h)   partition: stacks
//!  node 0, 2      no access       -               private zero pages    private zero pages
//!  node 1 (own)   read, write     memory file     memory file           private zero pages
//! ```
//! The striped range is private zero pages too, in which own and other nodes' stripes alternate; in a
//! coherence domain it is one file that all map. The zero pages of other nodes are what the runtime registers with userfaultfd. A program of
//! one node has its own heap on private zero pages, no alias, and maps its stacks at first use.
//!
//! *Who may touch what, when*: the own private slice belongs to the allocators; heaps and stacks
//! to whoever owns the block, under the page engine; the alias to the engine.
//!
//! *Why not safe code*: pointers are derived from the base of a mapping and an integer.

mod striped;

use core::num::NonZero;
use core::ops::Range;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering};
use std::os::fd::RawFd;

use dstd_addr::{
    GLOBAL_BASE, GlobalAddr, HEAP_BYTES_MAX, Layout, NODES_MAX, NodeId, PARTITION_BYTES, STACKS_OFFSET,
    STRIPED_BASE,
};

use crate::class::UNIT_BYTES;
use crate::error::MapError;
use crate::lock::Lock;
use crate::pal::{self, Access};

const HEAP_BYTES_MIN: u64 = 1 << 20;
/// A program of one node takes a smaller heap than it would like, down to this.
const HEAP_BYTES_LEAST: u64 = 256 << 20;
const PRIVATE_BYTES_MIN: u64 = 64 << 20;
/// A program of one node takes fewer bytes for stacks rather than none.
const STACKS_BYTES_MIN: u64 = 1 << 30;

/// One mapped range; empty when it is not mapped.
#[derive(Clone, Copy)]
struct Span {
    base: NonNull<u8>,
    len: u64,
}

/// A range of memory, and where in its file it lies.
pub type Placed = (Range<u64>, u64);

/// The ranges of one node of a program, mapped for the rest of the process.
pub struct Reservation {
    me: NodeId,
    nodes: u16,
    heap_bytes: u64,
    heaps: [Span; NODES_MAX as usize],
    stacks: [Span; NODES_MAX as usize],
    own_stacks: OnDemand,
    alias: Span,
    private: Span,
    striped: Span,
    /// The file behind the striped range, where it lies on one, else -1.
    striped_file: AtomicI32,
    memfd: Option<RawFd>,
    /// In a coherence domain: the files of all heaps and stacks, -1 where there is none.
    files: [[AtomicI32; 2]; NODES_MAX as usize],
}

// SAFETY: the bases are only addresses to derive from; what is reached through them is shared
// under the rules of whoever dereferences the derived pointer.
unsafe impl Send for Reservation {}
// SAFETY: as above; the one field that changes is atomic.
unsafe impl Sync for Reservation {}

/// A range that may be mapped later, once. Readers take no lock.
struct OnDemand {
    mapping: Lock<()>,
    base: AtomicPtr<u8>,
    len: AtomicU64,
}

impl OnDemand {
    fn new() -> OnDemand {
        OnDemand { mapping: Lock::new(()), base: AtomicPtr::new(ptr::null_mut()), len: AtomicU64::new(0) }
    }

    fn span(&self) -> Option<Span> {
        // Acquire: pairs with the release in `set`, after which `len` is set as well.
        let base = NonNull::new(self.base.load(Ordering::Acquire))?;
        Some(Span { base, len: self.len.load(Ordering::Relaxed) })
    }

    fn set(&self, span: Span) {
        self.len.store(span.len, Ordering::Relaxed);
        self.base.store(span.base.as_ptr(), Ordering::Release);
    }

    fn span_or_map(&self, map: impl FnOnce() -> Result<Span, MapError>) -> Result<Span, MapError> {
        self.mapping.acquire();
        let span = match self.span() {
            Some(span) => Ok(span),
            None => map().inspect(|span| self.set(*span)),
        };
        self.mapping.release();
        span
    }
}

impl Span {
    const NONE: Span = Span { base: NonNull::dangling(), len: 0 };

    fn anonymous(range: &Range<u64>, access: Access) -> Result<Span, MapError> {
        Ok(Span { base: pal::anonymous(range, access)?, len: range.end - range.start })
    }

    fn at(&self, addr: u64) -> Option<NonNull<u8>> {
        let inside = addr.wrapping_sub(self.base.addr().get() as u64) < self.len;
        inside.then(|| Some(self.base.with_addr(NonZero::new(addr as usize)?)))?
    }

    fn part(&self, range: Range<u64>) -> NonNull<[u8]> {
        debug_assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: the offset is within the mapping.
        let first = unsafe { self.base.add(range.start as usize) };
        NonNull::slice_from_raw_parts(first, (range.end - range.start) as usize)
    }
}

impl Reservation {
    /// Maps the ranges of the only node of a program.
    ///
    /// # Errors
    /// When the size is impossible or the kernel refuses a range.
    pub fn single(heap_bytes: u64) -> Result<Reservation, MapError> {
        Reservation::single_in(heap_bytes, heap_bytes)
    }

    /// As [`Reservation::single`], with a smaller heap where the kernel does not grant so much.
    ///
    /// # Errors
    /// When the size is impossible or the kernel refuses even a small range.
    pub fn single_at_most(heap_bytes: u64) -> Result<Reservation, MapError> {
        Reservation::single_in(heap_bytes, HEAP_BYTES_LEAST.min(heap_bytes))
    }

    fn single_in(heap_bytes: u64, least: u64) -> Result<Reservation, MapError> {
        let me = NodeId::ZERO;
        let mut new = Reservation::empty(me, 1, heap_bytes)?;
        let heap = shrinking(new.heap_range(me), least)?;
        new.heap_bytes = heap.len;
        new.heaps[me.index()] = heap;
        new.private = private_slice(me, heap.len)?;
        Ok(new)
    }

    /// Maps the ranges that node `me` of `nodes` nodes uses or must keep others out of.
    ///
    /// # Errors
    /// When the numbers are impossible or the kernel refuses a range.
    pub fn cluster(me: NodeId, nodes: u16, heap_bytes: u64) -> Result<Reservation, MapError> {
        let mut new = Reservation::empty(me, nodes, heap_bytes)?;
        new.private = private_slice(me, heap_bytes)?;
        for node in (0..nodes).map(NodeId).filter(|node| *node != me) {
            Span::anonymous(&Layout::private(node), Access::Nothing)?;
            new.heaps[node.index()] = foreign(&new.heap_range(node))?;
            new.stacks[node.index()] = foreign(&Layout::stacks(node))?;
        }
        new.own_stacks.set(Span::anonymous(&Layout::stacks(me), Access::ReadWrite)?);
        let striped = new.striped_range();
        new.striped = Span::anonymous(&striped, Access::ReadWrite)?;
        pal::keep_out_of_dumps(&striped)?;
        pal::no_huge_pages(&striped)?;
        let fd = pal::memfd(heap_bytes)?;
        let own = new.heap_range(me);
        new.heaps[me.index()] = Span { base: pal::file(&own, fd)?, len: heap_bytes };
        let start = Layout::alias(me).start;
        let alias = start..start + heap_bytes;
        new.alias = Span { base: pal::file(&alias, fd)?, len: heap_bytes };
        pal::keep_out_of_forks(&alias)?;
        pal::keep_out_of_dumps(&alias)?;
        new.memfd = Some(fd);
        Ok(new)
    }

    /// The rank of this node.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// How many nodes the program has.
    pub fn nodes(&self) -> u16 {
        self.nodes
    }

    /// Bytes of each node's heap.
    pub fn heap_bytes(&self) -> u64 {
        self.heap_bytes
    }

    /// The addresses of `node`'s heap: what is mapped of [`Layout::heap`].
    pub fn heap_range(&self, node: NodeId) -> Range<u64> {
        let start = Layout::heap(node).start;
        start..start + self.heap_bytes
    }

    /// The own heap as memory.
    pub fn heap(&self) -> NonNull<[u8]> {
        self.heaps[self.me.index()].part(0..self.heap_bytes)
    }

    /// The own range of stacks as memory. A program of one node maps it at the first call, and
    /// less of it where the kernel does not grant so much address space.
    ///
    /// # Errors
    /// When the kernel refuses the range.
    pub fn stacks(&self) -> Result<NonNull<[u8]>, MapError> {
        let own = self.own_stacks.span_or_map(|| shrinking(Layout::stacks(self.me), STACKS_BYTES_MIN))?;
        Ok(own.part(0..own.len))
    }

    /// The file behind the own heap; `None` in a program of one node.
    pub fn memfd(&self) -> Option<RawFd> {
        self.memfd
    }

    /// The first half of the own private slice: metadata of the allocators.
    pub fn meta(&self) -> NonNull<[u8]> {
        self.private.part(0..half(self.private.len))
    }

    /// The second half of the own private slice: the runtime's own heap.
    pub fn private_heap(&self) -> NonNull<[u8]> {
        self.private.part(half(self.private.len)..self.private.len)
    }

    /// The memory at `addr`, when that is a byte of a heap, of the striped range or of a mapped stack range of
    /// a node of this program (HEAP-4).
    pub fn resolve(&self, addr: GlobalAddr) -> Option<NonNull<u8>> {
        let offset = addr.0.checked_sub(GLOBAL_BASE)?;
        if addr.0 >= STRIPED_BASE {
            return self.striped.at(addr.0);
        }
        let rank = usize::try_from(offset / PARTITION_BYTES).ok()?;
        if offset % PARTITION_BYTES < STACKS_OFFSET {
            self.heaps.get(rank)?.at(addr.0)
        } else if rank == self.me.index() {
            self.own_stacks.span()?.at(addr.0)
        } else {
            self.stacks.get(rank)?.at(addr.0)
        }
    }

    /// The engine's second view of an own heap byte, readable and writable whatever the state of
    /// its page. `None` for every other address, and in a program of one node.
    pub fn alias(&self, addr: GlobalAddr) -> Option<NonNull<u8>> {
        let offset = addr.0.checked_sub(Layout::heap(self.me).start)?;
        self.alias.at(Layout::alias(self.me).start.checked_add(offset)?)
    }

    /// Puts the own stacks on a file that other nodes of this host can map; returns it.
    ///
    /// # Errors
    /// When the kernel refuses the file or the mapping.
    ///
    /// # Safety
    /// - No stack is in use yet, and no other thread exists.
    pub unsafe fn share_stacks(&self) -> Result<RawFd, MapError> {
        let range = Layout::stacks(self.me);
        let fd = pal::memfd(range.end - range.start)?;
        // SAFETY: our own range, of which nothing is in use by the caller's promise.
        unsafe { pal::shared_view(&range, fd) }?;
        self.remember(self.me, [self.memfd.unwrap_or(-1), fd]);
        Ok(fd)
    }

    /// Maps the files of another node's heap and stacks in the place of its ranges. The files stay
    /// open for children of `fork`.
    ///
    /// # Errors
    /// When the kernel refuses a mapping.
    ///
    /// # Safety
    /// - Nothing of that node's ranges is in use yet, and the files are as large as the ranges.
    pub unsafe fn map_peer(&self, node: NodeId, heap: RawFd, stacks: RawFd) -> Result<(), MapError> {
        // SAFETY: the range is reserved for that node, and unused by the caller's promise.
        unsafe { pal::shared_view(&self.heap_range(node), heap) }?;
        // SAFETY: as above.
        unsafe { pal::shared_view(&Layout::stacks(node), stacks) }?;
        self.remember(node, [heap, stacks]);
        Ok(())
    }

    /// Puts the ranges of all other nodes on one file of holes and makes them inaccessible, for a page
    /// engine that fills pages through the file. Returns the file, and where in it each range lies.
    ///
    /// # Errors
    /// When the kernel refuses the file or a mapping.
    ///
    /// # Safety
    /// - Nothing of the other nodes' ranges is in use, and no other thread exists.
    pub unsafe fn peers_on_file(&self) -> Result<(RawFd, Vec<Placed>), MapError> {
        let peers = (0..self.nodes).map(NodeId).filter(|node| *node != self.me);
        let ranges: Vec<_> = peers
            .flat_map(|node| [self.heap_range(node), Layout::stacks(node), Layout::threads(node)])
            .collect();
        let fd = pal::memfd(ranges.iter().map(|range| range.end - range.start).sum())?;
        let mut placed = Vec::with_capacity(ranges.len());
        let mut offset = 0;
        for range in ranges {
            // SAFETY: reserved for that node, and unused by the caller's promise.
            unsafe { pal::hidden_view(&range, fd, offset) }?;
            pal::keep_out_of_forks(&range)?;
            pal::keep_out_of_dumps(&range)?;
            let len = range.end - range.start;
            placed.push((range, offset));
            offset += len;
        }
        Ok((fd, placed))
    }

    fn remember(&self, node: NodeId, files: [RawFd; 2]) {
        for (place, fd) in self.files[node.index()].iter().zip(files) {
            place.store(fd, Ordering::Relaxed);
        }
    }

    /// The files behind the heap and the stacks of a node, where this node maps such.
    pub fn files(&self, node: NodeId) -> [Option<RawFd>; 2] {
        let files = self.files[node.index()].each_ref().map(|file| file.load(Ordering::Relaxed));
        let [heap, stacks] = files.map(|file| (file >= 0).then_some(file));
        [heap.or(self.memfd.filter(|_| node == self.me)), stacks]
    }

    fn empty(me: NodeId, nodes: u16, heap_bytes: u64) -> Result<Reservation, MapError> {
        if nodes == 0 || nodes > NODES_MAX || me.0 >= nodes {
            return Err(MapError::BadRank { rank: me.0, nodes });
        }
        let whole = heap_bytes.is_multiple_of(UNIT_BYTES as u64);
        if !whole || !(HEAP_BYTES_MIN..=HEAP_BYTES_MAX).contains(&heap_bytes) {
            return Err(MapError::BadSize { heap_bytes });
        }
        Ok(Reservation {
            me,
            nodes,
            heap_bytes,
            heaps: [Span::NONE; NODES_MAX as usize],
            stacks: [Span::NONE; NODES_MAX as usize],
            own_stacks: OnDemand::new(),
            alias: Span::NONE,
            private: Span::NONE,
            striped: Span::NONE,
            striped_file: AtomicI32::new(-1),
            memfd: None,
            files: [const { [const { AtomicI32::new(-1) }; 2] }; NODES_MAX as usize],
        })
    }
}

/// Maps another node's range: pages that are absent until the page engine brings them.
fn foreign(range: &Range<u64>) -> Result<Span, MapError> {
    let span = Span::anonymous(range, Access::ReadWrite)?;
    pal::keep_out_of_forks(range)?;
    pal::keep_out_of_dumps(range)?;
    pal::no_huge_pages(range)?;
    Ok(span)
}

/// Maps the own private slice: as large as the heap, within bounds.
fn private_slice(me: NodeId, heap_bytes: u64) -> Result<Span, MapError> {
    let range = Layout::private(me);
    let len = heap_bytes.max(PRIVATE_BYTES_MIN).min(range.end - range.start);
    shrinking(range.start..range.start + len, PRIVATE_BYTES_MIN)
}

/// Maps `range`, or the largest half, quarter, ... of it that the kernel grants.
fn shrinking(mut range: Range<u64>, least: u64) -> Result<Span, MapError> {
    loop {
        match Span::anonymous(&range, Access::ReadWrite) {
            Err(MapError::NoMemory { .. }) if range.end - range.start > least => {
                range.end = range.start + half(range.end - range.start);
            }
            other => return other,
        }
    }
}

/// Half of `len`, in whole units.
fn half(len: u64) -> u64 {
    (len / 2) & !(UNIT_BYTES as u64 - 1)
}
