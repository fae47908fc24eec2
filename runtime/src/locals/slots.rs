//! Slots: who has one, and when another thread may have it.
//!
//! A slot is free again when its thread was joined, or when it is detached and the kernel knows it no
//! more: a detached thread uses its stack up to its last instruction, and libc tells nobody when that was.
//!
//! *Invariants*: HEAP-3. *Who may touch what, when*: the pool is private memory behind a lock; the states are
//! atomic, so that the engine can look at them.
//! *Why not safe code*: guard pages, system calls.

use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use dstd_addr::{Layout, PAGE_BYTES, THREADS_BYTES};

use super::{SLOT_BYTES_MIN, share};
use crate::{context, raw};

/// One slot of this node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Slot {
    number: u64,
}

/// What is known about a slot's thread.
struct Entry {
    /// 1 from its start until its thread-locals are dropped.
    live: AtomicU32,
    /// The kernel's number for it; 0 before it has started.
    thread: AtomicI32,
    /// Whether it is somebody's: not in the pool.
    taken: AtomicBool,
}

struct Pool {
    free: Vec<Slot>,
    /// Slots of detached threads, which may have ended.
    detached: VecDeque<Slot>,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { free: Vec::new(), detached: VecDeque::new() });
/// How many slots were ever cut.
static CUT: AtomicU64 = AtomicU64::new(0);

/// How many free slots keep the memory of their stacks.
const WARM: usize = 32;
/// How many detached threads are looked at before a new slot is cut.
const LOOKS: usize = 16;

/// Untouched pages of it cost nothing.
static ENTRIES: [Entry; (THREADS_BYTES / SLOT_BYTES_MIN) as usize] =
    [const { Entry { live: AtomicU32::new(0), thread: AtomicI32::new(0), taken: AtomicBool::new(false) } };
        _];

/// How many slots fit.
fn count() -> u64 {
    context::slots().map_or(0, |slots| THREADS_BYTES / slots.bytes)
}

/// How many slots exist so far.
pub(super) fn cut() -> u64 {
    CUT.load(Ordering::Acquire)
}

impl Slot {
    /// A slot that nobody uses, or `None` when there is none left. Runtime code, on a native stack.
    pub(crate) fn take() -> Option<Slot> {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = pool.free.pop().or_else(|| pool.ended());
        drop(pool);
        let slot = match slot {
            Some(slot) => slot,
            None => Slot::cut()?,
        };
        let entry = slot.entry()?;
        entry.thread.store(0, Ordering::Relaxed);
        entry.taken.store(true, Ordering::Relaxed);
        Some(slot)
    }

    fn cut() -> Option<Slot> {
        let number = CUT
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |cut| (cut < count()).then_some(cut + 1))
            .ok()?;
        let slot = Slot { number };
        let guard = slot.start() as *mut libc::c_void;
        // SAFETY: the page lies in a slot of this node that was just cut and is nobody's yet.
        let guarded = unsafe { libc::mprotect(guard, PAGE_BYTES as usize, libc::PROT_NONE) };
        let shared = || share::map_own(&Layout::locals_beside(context::layout()?, slot.start())?).ok();
        // A slot that cannot be made is given up: its number is not used again.
        (guarded == 0).then(shared).flatten().map(|()| slot)
    }

    /// The slot of this node that `addr` lies in.
    pub(crate) fn at(addr: u64) -> Option<Slot> {
        let range = Layout::threads(context::me());
        let bytes = context::slots()?.bytes;
        range
            .contains(&addr)
            .then(|| Slot { number: (addr - range.start) / bytes })
            .filter(|slot| slot.number < cut())
    }

    /// First address of the slot.
    pub(crate) fn start(self) -> u64 {
        let bytes = context::slots().map_or(0, |slots| slots.bytes);
        Layout::threads(context::me()).start + self.number * bytes
    }

    /// Lowest address above the guard page, and size from there to the end.
    pub(crate) fn usable(self) -> (u64, u64) {
        let bytes = context::slots().map_or(0, |slots| slots.bytes);
        (self.start() + PAGE_BYTES, bytes - PAGE_BYTES)
    }

    fn entry(self) -> Option<&'static Entry> {
        ENTRIES.get(usize::try_from(self.number).ok()?)
    }

    /// The running thread is this slot's; its thread-locals may be lent from now on.
    pub(crate) fn started(self) {
        let Some(entry) = self.entry() else { return };
        entry.thread.store(raw::thread() as i32, Ordering::Release);
        entry.live.store(1, Ordering::Release);
    }

    /// The thread-locals of its thread are dropped.
    pub(crate) fn ended(self) {
        if let Some(entry) = self.entry() {
            entry.live.store(0, Ordering::Release);
        }
    }

    /// Whether its thread runs, as far as its thread-locals go. The engine asks.
    pub(crate) fn is_live(self) -> bool {
        self.entry().is_some_and(|entry| entry.live.load(Ordering::Acquire) != 0)
    }

    /// Its thread was joined, or never started: another one may have it. Runtime code.
    ///
    /// What joins a thread twice, which libc leaves undefined and does not always notice, gives it back once.
    pub(crate) fn give_back(self) {
        if !self.entry().is_some_and(|entry| entry.taken.swap(false, Ordering::Relaxed)) {
            return;
        }
        let pool = || POOL.lock().unwrap_or_else(PoisonError::into_inner);
        let many = pool().free.len() >= WARM;
        if many {
            self.shrink();
        }
        pool().free.push(self);
    }

    /// Returns the memory of the native stack to the system. libc wants nothing of it to stay.
    fn shrink(self) {
        let (start, bytes) = self.usable();
        let locals = context::layout().and_then(|layout| layout.locals_beside(start));
        let end = locals.filter(|locals| !locals.is_empty()).map_or(start + bytes, |locals| locals.start);
        // SAFETY: private memory of a slot without a thread, which is not in the pool yet.
        unsafe { libc::madvise(start as *mut libc::c_void, (end - start) as usize, libc::MADV_DONTNEED) };
    }

    /// Nobody will join its thread, which may run still. Runtime code.
    pub(crate) fn detached(self) {
        POOL.lock().unwrap_or_else(PoisonError::into_inner).detached.push_back(self);
    }

    /// Whether the kernel has forgotten its thread, which has started. A number that the kernel has given
    /// to another thread of this process since then only makes it look alive.
    fn is_gone(self) -> bool {
        let thread = self.entry().map_or(0, |entry| entry.thread.load(Ordering::Acquire));
        if thread == 0 || self.is_live() {
            return false;
        }
        let process = std::process::id() as usize;
        // SAFETY: signal 0 is not sent; the call only says whether the thread exists.
        let found = unsafe { raw::syscall(libc::SYS_tgkill, [process, thread as usize, 0, 0, 0, 0]) };
        found == -(libc::ESRCH as isize)
    }
}

impl Pool {
    /// The slot of a detached thread that has ended.
    fn ended(&mut self) -> Option<Slot> {
        for _ in 0..self.detached.len().min(LOOKS) {
            let slot = self.detached.pop_front()?;
            if slot.is_gone() {
                return Some(slot);
            }
            self.detached.push_back(slot);
        }
        None
    }
}
