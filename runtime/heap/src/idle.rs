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
use crate::heap::{FreedHook, Heap};

/// How many idle runs are taken at once.
const RUNS: usize = 64;

/// Free runs of whole pages, at most 8 MiB each, that nobody else gets until they come back.
#[must_use = "idle runs that do not come back are lost"]
pub struct IdleRuns {
    runs: [(u32, u32); RUNS],
    len: usize,
    start: u64,
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
        idle.len = inner.runs.take_idle(keep, &mut idle.runs);
        let bytes = idle.ranges().map(|range| range.end - range.start).sum();
        inner.idle_bytes.fetch_add(bytes, Ordering::Relaxed);
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
            // Release: pairs with the acquire in `idle_bytes`; who sees the sum finds the run.
            inner.idle_bytes.fetch_sub(range.end - range.start, Ordering::Release);
            given
        });
        assert!(given, "HEAP-3: {range:x?} is no idle run");
    }

    /// Bytes of idle runs that are not back yet: an allocation that finds no place may find one then.
    pub fn idle_bytes(&self) -> u64 {
        self.inner().map_or(0, |inner| inner.idle_bytes.load(Ordering::Acquire))
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

impl ThreadCache {
    /// Takes in everything that other nodes have freed, so that large blocks among it become free runs.
    pub fn take_in(&mut self) {
        self.drain(usize::MAX);
    }
}
