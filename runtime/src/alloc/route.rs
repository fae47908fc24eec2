//! Which heap serves a call.
//!
//! *Invariants*: HEAP-2, ISO-2.
//!
//! *Layout*: two cache pointers a thread, in plain thread-local memory. Where allocations are traced, that of user memory is
//! in another place, so that the fast path finds none.
//!
//! *Who may touch what, when*: a thread's caches only that thread. A cache is borrowed for one call
//! and no callback runs meanwhile, so the borrow is the only one.
//!
//! *Why not safe code*: caches are reached by pointer, blocks are raw memory.

use core::cell::Cell;
use core::ptr::{self, NonNull};

use dstd_addr::{
    ALIAS_BASE, GLOBAL_BASE, GLOBAL_END, Layout, NodeId, PARTITION_BYTES, PRIVATE_BASE, STRIPED_BASE,
    STRIPED_BYTES_MAX,
};
use dstd_heap::{Heap, ThreadCache};

use super::boot::{self, PARTITION, PRIVATE};
use super::{early, end, flag, remote, striped, traces};
use crate::{context, raw};

const STRIPED_END: u64 = STRIPED_BASE + STRIPED_BYTES_MAX;

/// Which of the two heaps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Which {
    /// User memory, in the partition.
    User = 0,
    /// The runtime's own memory.
    Runtime = 1,
}

/// Who owns an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    /// One of the two heaps of this node.
    Mine(Which),
    /// The heap of another node.
    Other(NodeId),
    /// All nodes together: a large block.
    Striped,
    /// The early area, whose blocks are never freed.
    Early,
    /// Nobody here: memory that libc's own allocator must have made.
    Elsewhere,
}

/// What a thread keeps.
pub(super) struct Slot {
    pub(super) caches: [Cell<*mut ThreadCache>; 2],
    /// The cache of user memory, where allocations are traced.
    pub(super) traced: Cell<*mut ThreadCache>,
    /// Set when the thread has given its caches back: from then on it borrows one for each call.
    pub(super) ended: Cell<bool>,
}

thread_local! {
    pub(super) static SLOT: Slot = const {
        Slot {
            caches: [const { Cell::new(ptr::null_mut()) }; 2],
            traced: Cell::new(ptr::null_mut()),
            ended: Cell::new(false),
        }
    };
}

impl Which {
    /// The heap that allocations of this thread go to now.
    #[inline]
    fn now() -> Which {
        if flag::in_runtime() { Which::Runtime } else { Which::User }
    }

    pub(super) fn heap(self) -> &'static Heap {
        match self {
            Which::User => &PARTITION,
            Which::Runtime => &PRIVATE,
        }
    }
}

/// `size` bytes at `align`, or null.
#[inline]
pub(super) fn alloc(size: usize, align: usize) -> *mut u8 {
    if let Some(mut cache) = cached(Which::now()) {
        // SAFETY: the thread's own cache, borrowed for this call only.
        let block = unsafe { cache.as_mut() }.alloc_cached(size, align);
        if !block.is_null() {
            return block;
        }
    }
    alloc_slow(size, align)
}

/// As [`alloc`]; apart from it, so that the common case saves no registers.
#[inline(never)]
fn alloc_slow(size: usize, align: usize) -> *mut u8 {
    take(|cache| cache.alloc(size, align), size, align)
}

/// `size` zeroed bytes at `align`, or null.
#[inline]
pub(super) fn alloc_zeroed(size: usize, align: usize) -> *mut u8 {
    if crate::context::is_child() {
        return alloc_and_zero(size, align);
    }
    take(|cache| cache.alloc_zeroed(size, align), size, align)
}

/// A block `from` a cache, which is of `size` bytes at `align`, or from all nodes.
#[inline(always)]
fn take(from: impl FnMut(&mut ThreadCache) -> *mut u8 + Copy, size: usize, align: usize) -> *mut u8 {
    if let Some(mut cache) = cached(Which::now()) {
        let mut from = from;
        // SAFETY: the thread's own cache, borrowed for this call only.
        let block = from(unsafe { cache.as_mut() });
        if !block.is_null() {
            return block;
        }
    }
    take_slow(from, size, align)
}

/// Frees a block by address, with the size and alignment it was allocated with.
///
/// # Safety
/// - `block` must be a live block from [`alloc`] or [`alloc_zeroed`], of any node, with this size
///   and alignment, and must not be used any more.
#[inline]
pub(super) unsafe fn free(block: *mut u8, size: usize, align: usize) {
    if let Some(mut cache) = cached(Which::User) {
        // SAFETY: the thread's own cache, borrowed for this call only.
        let cache = unsafe { cache.as_mut() };
        // SAFETY: a live block of this heap with these sizes (this function's contract).
        if cache.contains(block.addr() as u64) && unsafe { cache.free_cached(block, size, align) } {
            return;
        }
    }
    // SAFETY: the contract is the same.
    unsafe { free_slow(block, size, align) }
}

/// Changes a block's size where it lies, if it is one of this node's; whether it did.
///
/// # Safety
/// - As for [`free`], except that the block stays in use.
pub(super) unsafe fn resize(block: *mut u8, size: usize, align: usize, new_size: usize) -> bool {
    if let Some(mut cache) = cached(Which::User) {
        // SAFETY: the thread's own cache, borrowed for this call only.
        let cache = unsafe { cache.as_mut() };
        if cache.contains(block.addr() as u64) {
            // SAFETY: a live block of this heap with these sizes (this function's contract).
            return unsafe { cache.resize(block, size, align, new_size) };
        }
    }
    let which = match owner(block.addr() as u64) {
        Owner::Mine(which) => which,
        Owner::Striped => return striped::resize(block.addr() as u64, size, new_size),
        Owner::Other(_) | Owner::Early | Owner::Elsewhere => return false,
    };
    // SAFETY: a live block of that heap with these sizes (this function's contract).
    with_cache(which, |cache| unsafe { cache.resize(block, size, align, new_size) }).unwrap_or(false)
}

/// Who owns `addr`.
pub(super) fn owner(addr: u64) -> Owner {
    match addr {
        GLOBAL_BASE..GLOBAL_END => {
            let home = NodeId(((addr - GLOBAL_BASE) / PARTITION_BYTES) as u16);
            let reservation = boot::reservation();
            if home == reservation.me() {
                if PARTITION.contains(addr) { Owner::Mine(Which::User) } else { Owner::Elsewhere }
            } else if home.0 < reservation.nodes() && Layout::heap(home).contains(&addr) {
                Owner::Other(home)
            } else {
                Owner::Elsewhere
            }
        }
        STRIPED_BASE..STRIPED_END if boot::reservation().striped_range().contains(&addr) => Owner::Striped,
        PRIVATE_BASE..ALIAS_BASE if PRIVATE.contains(addr) => Owner::Mine(Which::Runtime),
        _ if early::contains(addr as usize) => Owner::Early,
        _ => Owner::Elsewhere,
    }
}

/// Runs `work` with a cache of this thread; `None` before there is memory.
///
/// `work` must not allocate: it holds the only borrow.
pub(super) fn with_cache<R>(which: Which, work: impl FnOnce(&mut ThreadCache) -> R) -> Option<R> {
    if let Some(mut cache) = own_cache(which) {
        // SAFETY: the thread's own cache, borrowed for `work`, which does not allocate.
        return Some(work(unsafe { cache.as_mut() }));
    }
    boot::reservation_if_known()?;
    let mut cache = which.heap().cache()?;
    if SLOT.with(|slot| slot.ended.get()) {
        // SAFETY: just taken from the heap, so nobody else uses it.
        let result = work(unsafe { cache.as_mut() });
        end::give_back(which, cache);
        return Some(result);
    }
    // The pointer first: registering may allocate.
    SLOT.with(|slot| match which {
        Which::User if traces::on() => slot.traced.set(cache.as_ptr()),
        _ => slot.caches[which as usize].set(cache.as_ptr()),
    });
    end::register();
    // SAFETY: the thread's own cache, as above.
    Some(work(unsafe { cache.as_mut() }))
}

#[inline]
pub(super) fn cached(which: Which) -> Option<NonNull<ThreadCache>> {
    NonNull::new(SLOT.with(|slot| slot.caches[which as usize].get()))
}

/// This thread's cache, wherever it is kept.
pub(super) fn own_cache(which: Which) -> Option<NonNull<ThreadCache>> {
    let traced = || SLOT.with(|slot| NonNull::new(slot.traced.get())).filter(|_| which == Which::User);
    cached(which).or_else(traced)
}

/// Takes this thread's cache, which it does not use any more.
pub(super) fn take_cache(which: Which) -> Option<NonNull<ThreadCache>> {
    let cache = own_cache(which)?;
    SLOT.with(|slot| {
        slot.caches[which as usize].set(ptr::null_mut());
        if which == Which::User {
            slot.traced.set(ptr::null_mut());
        }
    });
    Some(cache)
}

/// Puts this thread's cache where allocations are traced.
pub(super) fn move_cache() {
    SLOT.with(|slot| {
        if let Some(cache) = cached(Which::User) {
            slot.caches[Which::User as usize].set(ptr::null_mut());
            slot.traced.set(cache.as_ptr());
        }
    });
}

/// In a child of `fork`: memory that it believes was never used may hold what threads of its parent wrote there between the
/// clone and the copy.
#[cold]
#[inline(never)]
fn alloc_and_zero(size: usize, align: usize) -> *mut u8 {
    let block = alloc(size, align);
    if !block.is_null() {
        // SAFETY: just allocated, `size` bytes.
        unsafe { block.write_bytes(0, size) };
    }
    block
}

/// The block comes from elsewhere than this thread's fast cache, or allocations are traced.
#[cold]
#[inline(never)]
fn take_slow(from: impl FnMut(&mut ThreadCache) -> *mut u8 + Copy, size: usize, align: usize) -> *mut u8 {
    let block = take_somewhere(from, size, align);
    if traces::on() && !block.is_null() && Which::now() == Which::User {
        traces::note(block.addr() as u64, size);
    }
    block
}

/// The thread has no cache yet, or the heap has no place for the block: waits for memory that is just going back, then
/// asks all nodes; at last has everything that was freed come home, and begins again.
fn take_somewhere(
    from: impl FnMut(&mut ThreadCache) -> *mut u8 + Copy,
    size: usize,
    align: usize,
) -> *mut u8 {
    match with_cache(Which::now(), from) {
        None => return before_boot(size, align),
        // A thread of the runtime gets what there is.
        Some(block) if !block.is_null() || Which::now() == Which::Runtime => return block,
        Some(_) => (),
    }
    // In a child of `fork`, who was giving memory back or sweeping is not there to end it.
    let ends = !context::is_child();
    let mut collected = false;
    loop {
        let before = PARTITION.on_its_way();
        if let Some(block) = with_cache(Which::User, from).filter(|block| !block.is_null()) {
            return block;
        }
        let after = PARTITION.on_its_way();
        if ends && after.is_some() {
            raw::nap(NAP_NS);
        } else if !(ends && before.was_missed(after)) {
            match PARTITION.reclaim_spans() {
                Some(true) => (),
                None if ends => (),
                Some(false) | None => {
                    let block = striped::alloc(size, align);
                    // What other nodes have freed may still be on its way to its home.
                    if !block.is_null() || collected || !striped::collect() {
                        return block;
                    }
                    collected = true;
                }
            }
        }
    }
}

/// Giving a run of memory back takes about a millisecond.
const NAP_NS: u32 = 200_000;

fn before_boot(size: usize, align: usize) -> *mut u8 {
    if boot::reservation_if_known().is_some() {
        // There are heaps, but no metadata for another cache.
        return ptr::null_mut();
    }
    early::alloc(size, align)
}

/// # Safety
/// - As for [`free`].
#[inline(never)]
unsafe fn free_slow(block: *mut u8, size: usize, align: usize) {
    let addr = block.addr() as u64;
    match owner(addr) {
        Owner::Mine(which) => {
            // SAFETY: a live block of that heap with these sizes (this function's contract).
            let freed = with_cache(which, |cache| unsafe { cache.free(block, size, align) });
            if freed.is_none() {
                which.heap().count_leaked(1);
            }
        }
        Owner::Other(home) => remote::free_sized(home, addr, size),
        Owner::Striped => striped::free(addr),
        Owner::Early => (),
        // SAFETY: not ours, so it is a block of libc's own allocator (this function's contract).
        Owner::Elsewhere => unsafe { libc_free(block) },
    }
}

/// Frees a block that libc's own allocator made.
///
/// # Safety
/// - `block` must be such a block, live, and not used any more.
pub(super) unsafe fn libc_free(block: *mut u8) {
    unsafe extern "C" {
        fn __libc_free(block: *mut core::ffi::c_void);
    }
    // SAFETY: this function's contract; glibc exports its allocator under this name as well.
    unsafe { __libc_free(block.cast()) }
}
