//! A heap: blocks of one range, remembered in another.
//!
//! *Invariants*: HEAP-2 (only the home uses a `Heap` over its range), HEAP-3, HEAP-4, ISO-2.
//!
//! *Layout*: `Inner` lies at the start of the metadata range; the tables follow it.
//! ```text
//! units    a u16 for 64 KiB of the range: 0 = runs of pages, else class + 1 | unit of the span << 8
//! pending  a bit for 16 bytes of the range: freed by another node, not yet drained
//! runs     tags and links, 12 bytes a page
//! notes    a u16 for 16 bytes of the range, if wanted (`notes`)
//! ```
//!
//! *Who may touch what, when*: everything in `Inner` is atomic or behind the lock in `Runs`. A unit
//! entry is written before the first address of its span leaves, and cleared when all are back (`spans`). Blocks are not touched
//! at all, except that `alloc_zeroed` zeroes the block it is about to hand out.
//!
//! *Why not safe code*: it makes memory out of an address range.

use core::array;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::OnceLock;

use dstd_addr::PAGE_SHIFT;

use crate::arena::{Arena, BLOCK_BYTES};
use crate::cache::ThreadCache;
use crate::class::{CLASSES, Class, UNIT_BYTES, UNIT_SHIFT};
use crate::error::InitError;
use crate::lock::Patience;
use crate::node::Node;
use crate::runs::{PAGES_END, Runs};
use crate::stack::Stack;

/// A heap over one address range. Made empty, given its ranges once.
pub struct Heap {
    inner: AtomicPtr<Inner>,
}

/// Whether an allocation may wait for another thread that is inside one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// It may: the heap is not used by the engine. Memory is used best.
    Allowed,
    /// It must not: the other thread may need the engine, which uses this heap, to go on.
    Never,
}

impl Waiting {
    fn patience(self) -> Patience {
        match self {
            Waiting::Allowed => Patience::Endless,
            Waiting::Never => Patience::Short,
        }
    }
}

/// What a heap has done so far; every number may lag by what the thread caches hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Bytes in the hands of threads: allocated, or free in a thread's cache.
    pub live_bytes: u64,
    /// Frees of this node's threads that went to another home.
    pub remote_sent: u64,
    /// Frees of other nodes that were accepted here.
    pub remote_received: u64,
    /// Frees of other nodes that were refused (HEAP-4).
    pub remote_rejected: u64,
    /// Blocks that were lost because no metadata was left to remember them.
    pub leaked: u64,
    /// Bytes of spans and large blocks, and what was reserved by [`Heap::reserve`].
    pub in_use_bytes: u64,
    /// Bytes whose memory went back to the system, ever.
    pub returned_bytes: u64,
}

/// Free blocks of one class that no thread holds.
pub(crate) struct Central {
    /// Nodes full of addresses.
    pub(crate) batches: Stack,
    /// Nodes that hold the rest of a span: first address, end, whether never used.
    pub(crate) ranges: Stack,
}

impl Central {
    /// Nothing.
    pub(crate) fn new() -> Central {
        Central { batches: Stack::new(), ranges: Stack::new() }
    }
}

pub(crate) struct Inner {
    pub(crate) base: NonNull<u8>,
    pub(crate) start: u64,
    pub(crate) len: u64,
    pub(crate) arena: Arena,
    pub(crate) units: &'static [AtomicU16],
    pub(crate) pending: &'static [AtomicU64],
    pub(crate) runs: Runs,
    pub(crate) central: [Central; CLASSES],
    /// Nodes of addresses that other nodes have freed.
    pub(crate) incoming: Stack,
    /// Nodes that hold nothing.
    pub(crate) spare_nodes: Stack,
    /// Caches whose thread has ended.
    pub(crate) spare_caches: Stack,
    pub(crate) live_bytes: AtomicU64,
    pub(crate) remote_sent: AtomicU64,
    pub(crate) remote_received: AtomicU64,
    pub(crate) remote_rejected: AtomicU64,
    pub(crate) leaked: AtomicU64,
    pub(crate) returned_bytes: AtomicU64,
    /// Bytes of idle runs that are out, and one for each taking of such and each sweep under way.
    pub(crate) idle_bytes: AtomicU64,
    /// How often idle runs have come back, and sweeps have ended.
    pub(crate) came_back: AtomicU64,
    /// Bytes of small blocks that came to the centre, ever.
    pub(crate) flushed_bytes: AtomicU64,
    /// For sweeps: free blocks of the span that begins at a unit.
    pub(crate) free_blocks: &'static [AtomicU16],
    pub(crate) sweeping: AtomicBool,
    /// Told when large blocks were freed.
    pub(crate) freed_hook: OnceLock<FreedHook>,
    /// The first of all sets of remote batches, a block index.
    pub(crate) remote_sets: AtomicU32,
    /// For [`Heap::note`], where somebody wants it.
    pub(crate) notes: OnceLock<&'static [AtomicU16]>,
    /// The first page of the run that somebody asked for last: perhaps there is another one now, or none.
    pub(crate) run_asked: AtomicU32,
}

/// Told the bytes of large blocks that were freed since somebody last took idle runs. Called inside a free: it
/// must not use this heap.
pub type FreedHook = fn(freed_bytes: u64);

// SAFETY: `base` is only an address to derive from; all state is atomic or locked.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

/// What the unit table says about an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In a span of this class that begins here.
    Span(Class, u64),
    /// Not in a span: on this page of the range.
    Page(u32),
}

impl Heap {
    /// A heap without memory.
    pub const fn new() -> Heap {
        Heap { inner: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Gives the heap its memory: blocks come from `range`, everything it remembers from `meta`.
    ///
    /// A good size for `meta` is half of `range`; it is touched only as far as needed. `waiting` says
    /// whether a thread may wait for another one inside an allocation.
    ///
    /// # Errors
    /// When a range is unsuitable or the heap has its memory already.
    ///
    /// # Safety
    /// - Both ranges must be zeroed, readable and writable for as long as the heap, its caches or
    ///   its blocks are used, and nobody else may use them.
    pub unsafe fn init(
        &self,
        range: NonNull<[u8]>,
        meta: NonNull<[u8]>,
        waiting: Waiting,
    ) -> Result<(), InitError> {
        if self.inner().is_some() {
            return Err(InitError::Twice);
        }
        let start = range.cast::<u8>().addr().get();
        let len = range.len() & !(UNIT_BYTES - 1);
        let pages = u32::try_from(len >> PAGE_SHIFT).map_err(|_| InitError::BadRange)?;
        if !start.is_multiple_of(UNIT_BYTES) || pages == 0 || pages >= PAGES_END {
            return Err(InitError::BadRange);
        }
        let place = meta.cast::<Inner>();
        if !place.addr().get().is_multiple_of(BLOCK_BYTES) || meta.len() < size_of::<Inner>() {
            return Err(InitError::NoMetadata);
        }
        // SAFETY: zeroed, exclusive and long-lived by this function's contract; alignment checked above.
        let arena = unsafe { Arena::new(meta, size_of::<Inner>()) };
        let inner = Inner {
            base: range.cast(),
            start: start as u64,
            len: len as u64,
            units: arena.table(len >> UNIT_SHIFT).ok_or(InitError::NoMetadata)?,
            free_blocks: arena.table(len >> UNIT_SHIFT).ok_or(InitError::NoMetadata)?,
            pending: arena.table(len / (16 * 64)).ok_or(InitError::NoMetadata)?,
            runs: Runs::new(&arena, pages, start as u64 >> PAGE_SHIFT, waiting.patience())
                .ok_or(InitError::NoMetadata)?,
            arena,
            central: array::from_fn(|_| Central::new()),
            incoming: Stack::new(),
            spare_nodes: Stack::new(),
            spare_caches: Stack::new(),
            live_bytes: AtomicU64::new(0),
            remote_sent: AtomicU64::new(0),
            remote_received: AtomicU64::new(0),
            remote_rejected: AtomicU64::new(0),
            leaked: AtomicU64::new(0),
            returned_bytes: AtomicU64::new(0),
            idle_bytes: AtomicU64::new(0),
            came_back: AtomicU64::new(0),
            flushed_bytes: AtomicU64::new(0),
            sweeping: AtomicBool::new(false),
            freed_hook: OnceLock::new(),
            remote_sets: AtomicU32::new(0),
            notes: OnceLock::new(),
            run_asked: AtomicU32::new(0),
        };
        // SAFETY: inside `meta`, aligned, and the arena counts these bytes as taken.
        unsafe { place.write(inner) };
        // Release: pairs with the acquire in `inner`, which then sees `Inner` complete.
        self.inner.store(place.as_ptr(), Ordering::Release);
        Ok(())
    }

    /// A cache for one thread: a recycled one, or a new one. `None` without memory.
    ///
    /// The caller owns it until it hands it to [`Heap::retire`] and must not use it from two
    /// threads at once.
    pub fn cache(&self) -> Option<NonNull<ThreadCache>> {
        let inner = self.inner()?;
        match inner.spare_caches.pop(&inner.arena) {
            Some(index) => Some(ThreadCache::at(&inner.arena, index)),
            None => ThreadCache::create(inner),
        }
    }

    /// Ends the use of a cache: everything it holds goes back to the heap.
    ///
    /// Remote frees must have been taken out with [`ThreadCache::take_remote`] before.
    ///
    /// # Safety
    /// - `cache` must come from [`Heap::cache`] of this heap and must not be used afterwards.
    pub unsafe fn retire(&self, mut cache: NonNull<ThreadCache>) {
        let Some(inner) = self.inner() else { return };
        // SAFETY: the cache is valid and the caller gives up its exclusive use.
        let index = unsafe { cache.as_mut() }.release_all();
        inner.spare_caches.push(&inner.arena, index);
    }

    /// Notes that `blocks` blocks are lost: nobody will ever free them.
    pub fn count_leaked(&self, blocks: usize) {
        if let Some(inner) = self.inner() {
            inner.count_leaked(blocks);
        }
    }

    /// Whether `addr` is in the range of this heap.
    pub fn contains(&self, addr: u64) -> bool {
        self.inner().is_some_and(|inner| inner.contains(addr))
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        self.inner().map_or(Counters::default(), |inner| Counters {
            live_bytes: inner.live_bytes.load(Ordering::Relaxed),
            remote_sent: inner.remote_sent.load(Ordering::Relaxed),
            remote_received: inner.remote_received.load(Ordering::Relaxed),
            remote_rejected: inner.remote_rejected.load(Ordering::Relaxed),
            leaked: inner.leaked.load(Ordering::Relaxed),
            in_use_bytes: u64::from(inner.runs.in_use()) << PAGE_SHIFT,
            returned_bytes: inner.returned_bytes.load(Ordering::Relaxed),
        })
    }

    /// Takes the heap's lock, so that a child of `fork` does not inherit it held by another thread.
    pub fn lock_for_fork(&self) {
        if let Some(inner) = self.inner() {
            inner.runs.lock_for_fork();
        }
    }

    /// Gives the lock of [`Heap::lock_for_fork`] back, in the parent and in the child.
    pub fn unlock_after_fork(&self) {
        if let Some(inner) = self.inner() {
            inner.runs.unlock_after_fork();
        }
    }

    pub(crate) fn inner(&self) -> Option<&'static Inner> {
        let inner = self.inner.load(Ordering::Acquire);
        // SAFETY: null, or written completely by `init` in memory that outlives every use.
        unsafe { inner.as_ref() }
    }
}

impl Default for Heap {
    fn default() -> Heap {
        Heap::new()
    }
}

impl Inner {
    #[inline]
    pub(crate) fn contains(&self, addr: u64) -> bool {
        addr.wrapping_sub(self.start) < self.len
    }

    /// What lies at `addr`, which must be in the range.
    pub(crate) fn place(&self, addr: u64) -> Place {
        let offset = addr - self.start;
        let unit = offset >> UNIT_SHIFT;
        let entry = self.units[unit as usize].load(Ordering::Relaxed);
        match (usize::from(entry & 0xff)).checked_sub(1).and_then(Class::from_index) {
            Some(class) => Place::Span(class, self.start + ((unit - u64::from(entry >> 8)) << UNIT_SHIFT)),
            None => Place::Page((offset >> PAGE_SHIFT) as u32),
        }
    }

    /// The address of page `page` of the range.
    pub(crate) fn page_addr(&self, page: u32) -> u64 {
        self.start + (u64::from(page) << PAGE_SHIFT)
    }

    /// An empty node, recycled or new.
    pub(crate) fn spare_node(&self) -> Option<u32> {
        let index = self.spare_nodes.pop(&self.arena).or_else(|| self.arena.take(size_of::<Node>()))?;
        Node::at(&self.arena, index).set_len(0);
        Some(index)
    }

    /// Takes back a node whose addresses are elsewhere by now.
    pub(crate) fn recycle_node(&self, index: u32) {
        self.spare_nodes.push(&self.arena, index);
    }

    pub(crate) fn count_live(&self, bytes: usize) {
        self.live_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_dead(&self, bytes: usize) {
        self.live_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_leaked(&self, blocks: usize) {
        self.leaked.fetch_add(blocks as u64, Ordering::Relaxed);
    }
}
