//! Memory that goes back to the system, and memory that is kept for others.
//!
//! *Invariants*: HEAP-3: an idle run is in nobody's hands but the caller's, so that nobody writes to
//! memory that is about to read as zero. ISO-1: [`Heap::give_idle`] waits for nothing.
//!
//! Nothing here makes a system call: the caller knows what the memory is.

use core::ops::Range;
use core::sync::atomic::Ordering;

use dstd_addr::PAGE_SHIFT;

use crate::cache::ThreadCache;
use crate::heap::{FreedHook, Heap, Inner};

/// How many idle runs are taken at once.
const RUNS: usize = 64;

/// Free runs of whole pages, at most 8 MiB each, that nobody else gets until they come back.
#[must_use = "idle runs that do not come back are lost"]
pub struct IdleRuns {
    runs: [(u32, u32); RUNS],
    len: usize,
    start: u64,
}

/// What of a heap's free memory nobody can have just now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OnItsWay {
    some: bool,
    came_back: u64,
}

impl OnItsWay {
    /// Whether an allocation between two looks, this one and the `later` one, can have missed free memory.
    pub fn was_missed(self, later: OnItsWay) -> bool {
        self.some || later.some || self.came_back != later.came_back
    }

    /// Whether there is some at the moment.
    pub fn is_some(self) -> bool {
        self.some
    }
}

impl IdleRuns {
    /// Their addresses.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.runs[..self.len].iter().map(|(page, pages)| {
            let start = self.start + (u64::from(*page) << PAGE_SHIFT);
            start..start + (u64::from(*pages) << PAGE_SHIFT)
        })
    }
}

impl Heap {
    /// Takes free runs for which the system may hold memory, so that no more than `keep_bytes` of such memory
    /// stay; `None` when there is nothing more to take. The memory of each is to be given back, and then the
    /// run by [`Heap::give_idle`].
    pub fn take_idle(&self, keep_bytes: u64) -> Option<IdleRuns> {
        let inner = self.inner()?;
        let mut idle = IdleRuns { runs: [(0, 0); RUNS], len: 0, start: inner.start };
        let keep = u32::try_from(keep_bytes >> PAGE_SHIFT).unwrap_or(u32::MAX);
        inner.begin_taking();
        idle.len = inner.runs.take_idle(keep, &mut idle.runs);
        let bytes: u64 = idle.ranges().map(|range| range.end - range.start).sum();
        inner.idle_bytes.fetch_add(bytes, Ordering::Relaxed);
        inner.end_taking();
        (idle.len > 0).then_some(idle)
    }

    /// Puts the idle run at `range` back: its memory is at the system, it reads as zero. Lock-free.
    ///
    /// # Panics
    /// When the range is no idle run of this heap (HEAP-3).
    pub fn give_idle(&self, range: Range<u64>) {
        let given = self.inner().is_some_and(|inner| {
            inner.returned_bytes.fetch_add(range.end - range.start, Ordering::Relaxed);
            let given = inner.contains(range.start)
                && inner.runs.give_idle(((range.start - inner.start) >> PAGE_SHIFT) as u32);
            inner.came_back.fetch_add(1, Ordering::SeqCst);
            inner.idle_bytes.fetch_sub(range.end - range.start, Ordering::SeqCst);
            given
        });
        assert!(given, "HEAP-3: {range:x?} is no idle run");
    }

    /// Whether free memory is out of reach: on its way to the system, or looked through by a sweep. An allocation
    /// that finds no place looks before and after.
    pub fn on_its_way(&self) -> OnItsWay {
        // SeqCst, as all changes: memory is counted before it is taken, and until it is back and `came_back` has changed.
        self.inner().map_or(OnItsWay { some: false, came_back: 0 }, |inner| OnItsWay {
            some: inner.idle_bytes.load(Ordering::SeqCst) != 0,
            came_back: inner.came_back.load(Ordering::SeqCst),
        })
    }

    /// Has `hook` told of large blocks that were freed. The first call counts.
    pub fn on_freed(&self, hook: FreedHook) {
        if let Some(inner) = self.inner() {
            inner.freed_hook.get_or_init(|| hook);
        }
    }

    /// Keeps `bytes` of what this heap may use for other purposes, leaving it `rest_bytes` at least;
    /// false when it has not so much left. Lock-free.
    pub fn reserve(&self, bytes: u64, rest_bytes: u64) -> bool {
        let pages = |bytes: u64| u32::try_from(bytes >> PAGE_SHIFT).ok();
        let (Some(inner), Some(pages), Some(rest)) = (self.inner(), pages(bytes), pages(rest_bytes)) else {
            return false;
        };
        inner.runs.reserve(pages, rest)
    }

    /// Ends [`Heap::reserve`] for so many bytes. Lock-free.
    pub fn unreserve(&self, bytes: u64) {
        if let Some(inner) = self.inner() {
            inner.runs.release((bytes >> PAGE_SHIFT) as u32);
        }
    }
}

impl Inner {
    /// Free memory is about to be out of reach.
    pub(crate) fn begin_taking(&self) {
        self.idle_bytes.fetch_add(1, Ordering::SeqCst);
    }

    /// What was not taken is back.
    pub(crate) fn end_taking(&self) {
        self.came_back.fetch_add(1, Ordering::SeqCst);
        self.idle_bytes.fetch_sub(1, Ordering::SeqCst);
    }
}

impl ThreadCache {
    /// Takes in everything that other nodes have freed, so that large blocks among it become free runs.
    pub fn take_in(&mut self) {
        self.drain(usize::MAX);
    }
}
