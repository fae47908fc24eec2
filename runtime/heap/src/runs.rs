//! Runs of whole pages: where spans and large blocks come from.
//!
//! A good-fit allocator in the manner of TLSF (Masmano et al. 2004, section 4: two-level bins
//! with a bitmap), with pages as granule and all tags and links out of line.
//!
//! ```text
//! tag of a page (0 = inside a run, or never used):
//!   LIVE | len      first page of a run in use
//!   PARKED | len    first page of a run that was freed and is not in a bin yet
//!   IDLE | len      first page of a free run whose memory is being given back to the system
//!   FREE | len      first page and last page of a free run in a bin
//!   0 ......................................................... top ........... pages
//!   | live | free | live live | free |            | live       | never used or given back |
//!                                                      ^ used: from here on never used (zero)
//! ```
//! Free runs touch neither each other nor `top`: they are merged at once.
//!
//! The bins are behind a lock; nothing else is. A free parks the run on a lock-free stack, and
//! whoever gets the lock next puts it in its bin. An allocation that is not patient enough to
//! wait for the bins takes new pages at `top`, which is one atomic word. So a heap that the engine
//! uses can be told never to wait: a user thread may hold the lock while its own stack is on a
//! page that only the engine can bring back (ISO-1).
//!
//! A bit for each 16 pages says whether the system may hold memory for them. Whoever gives memory
//! back takes free runs out as idle ones, so nobody gets them meanwhile, and parks them afterwards.
//! What is in live runs, and what was reserved for others, is bounded by the budget.
//!
//! Who may touch what: `prev` and the bins under the lock; `next` under the lock, or the freeing
//! thread until the run is parked. Tags of live and idle runs belong to the owner of the run, all others to
//! the holder of the lock. A tag read without either is advisory.

// The path is told because `runtime/loom` compiles this file from elsewhere.
#[path = "runs/backed.rs"]
mod backed;

use crate::arena::Arena;
use crate::lock::{Lock, LockGuard, Patience};
use crate::primitive::{AtomicU32, AtomicU64, Ordering};

const LIVE: u32 = 1 << 31;
const FREE: u32 = 1 << 30;
const PARKED: u32 = 1 << 29;
const IDLE: u32 = 1 << 28;
const LEN: u32 = IDLE - 1;
/// A range has fewer pages.
pub(crate) const PAGES_END: u32 = IDLE;
/// Bins: four a doubling of the length.
const BINS: usize = 29 * 4;
/// How far the list of the bin that holds `pages` is searched before younger memory is taken.
const FIRST_FIT_STEPS: u32 = 32;

/// A run that was handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    /// Its first page, counted from the start of the range.
    pub(crate) page: u32,
    /// How many of its pages, from the first, may hold something else than zero.
    pub(crate) dirty: u32,
}

/// The pages of one range.
pub(crate) struct Runs {
    tags: &'static [AtomicU32],
    next: &'static [AtomicU32],
    prev: &'static [AtomicU32],
    /// The number of the first page in the address space, for alignment.
    origin: u64,
    pages: u32,
    /// Pages from here on are in no run.
    top: AtomicU32,
    /// Pages from here on have never been in a run.
    used: AtomicU32,
    /// The stack of parked runs: page + 1, or 0.
    parked: AtomicU32,
    /// A bit for `UNIT_PAGES` pages: the system may hold memory for them.
    backed: &'static [AtomicU64],
    /// How many pages may still come into use.
    budget: AtomicU32,
    /// Pages that were freed since somebody last looked for idle runs.
    freed: AtomicU32,
    patience: Patience,
    bins: Lock<Bins>,
}

struct Bins {
    /// Heads of the lists: page + 1, or 0.
    heads: [u32; BINS],
    /// Which lists are not empty.
    map: u128,
}

impl Runs {
    /// Runs over `pages` pages of which the first is page `origin` of the address space.
    pub(crate) fn new(arena: &Arena, pages: u32, origin: u64, patience: Patience) -> Option<Runs> {
        let len = pages as usize;
        Some(Runs {
            tags: arena.table(len)?,
            next: arena.table(len)?,
            prev: arena.table(len)?,
            origin,
            pages,
            top: AtomicU32::new(0),
            used: AtomicU32::new(0),
            parked: AtomicU32::new(0),
            backed: arena.table(backed::words_for(len))?,
            budget: AtomicU32::new(pages),
            freed: AtomicU32::new(0),
            patience,
            bins: Lock::new(Bins { heads: [0; BINS], map: 0 }),
        })
    }

    /// Hands out `pages` pages whose first is a multiple of `align` pages (a power of two).
    pub(crate) fn alloc(&self, pages: u32, align: u32) -> Option<Run> {
        debug_assert!(pages > 0 && align.is_power_of_two());
        if !self.reserve(pages, 0) {
            return None;
        }
        let Some(page) = self.take_binned(pages, align).or_else(|| self.take_top(pages, align)) else {
            self.release(pages);
            return None;
        };
        self.set_tag(page, LIVE | pages);
        // A later run may have raised the mark meanwhile: then pages count as dirty that are not.
        let used = self.used.fetch_max(page + pages, Ordering::Relaxed);
        let backed = self.mark_backed(page, pages);
        Some(Run { page, dirty: used.saturating_sub(page).min(pages).min(backed) })
    }

    /// Takes `pages` out of the budget, if `rest` are left then.
    pub(crate) fn reserve(&self, pages: u32, rest: u32) -> bool {
        let less = |left: u32| left.checked_sub(pages).filter(|left| *left >= rest);
        self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// Puts `pages` back into the budget.
    pub(crate) fn release(&self, pages: u32) {
        self.budget.fetch_add(pages, Ordering::Relaxed);
    }

    /// How many pages are in live runs or reserved.
    pub(crate) fn in_use(&self) -> u32 {
        self.pages - self.budget.load(Ordering::Relaxed).min(self.pages)
    }

    /// Takes back the live run that begins at `page`; its length, or `None` when there is none. Never
    /// waits: whoever holds the lock, or takes it next, finds the run parked.
    pub(crate) fn free(&self, page: u32) -> Option<u32> {
        let len = self.park(page, LIVE)?;
        self.release(len);
        self.freed.fetch_add(len, Ordering::Relaxed);
        self.try_collect();
        Some(len)
    }

    /// Pages from here on have never been in a run.
    pub(crate) fn used(&self) -> u32 {
        self.used.load(Ordering::Relaxed)
    }

    /// Pages freed since the last [`Runs::take_idle`].
    pub(crate) fn freed(&self) -> u32 {
        self.freed.load(Ordering::Relaxed)
    }

    /// Makes the live run at `page` `pages` long without moving it, if its neighbour allows.
    pub(crate) fn resize(&self, page: u32, pages: u32) -> bool {
        debug_assert!(pages > 0);
        let (Some(len), Some(mut bins)) = (self.live_len(page), self.bins()) else { return false };
        self.collect(&mut bins);
        if pages > len {
            if !self.reserve(pages - len, 0) {
                return false;
            }
            if !self.grow(&mut bins, page, len, pages) {
                self.release(pages - len);
                return false;
            }
            self.mark_backed(page + len, pages - len);
        }
        self.set_tag(page, LIVE | pages);
        if pages < len {
            self.insert(&mut bins, page + pages, len - pages);
            self.release(len - pages);
            self.freed.fetch_add(len - pages, Ordering::Relaxed);
        }
        true
    }

    /// The length of the live run that begins at `page`.
    pub(crate) fn live_len(&self, page: u32) -> Option<u32> {
        let tag = self.tags.get(page as usize)?.load(Ordering::Relaxed);
        (tag & LIVE != 0).then_some(tag & LEN)
    }

    /// Whether a run begins at `page`, or a free one ends there.
    pub(crate) fn begins(&self, page: u32) -> bool {
        self.tag(page) != 0
    }

    /// Holds the lock over a fork, so that the child does not inherit it held by another thread.
    pub(crate) fn lock_for_fork(&self) {
        self.bins.acquire();
    }

    /// Ends [`Runs::lock_for_fork`].
    pub(crate) fn unlock_after_fork(&self) {
        self.bins.release();
    }

    fn bins(&self) -> Option<LockGuard<'_, Bins>> {
        self.bins.lock(self.patience)
    }

    fn try_collect(&self) {
        if let Some(mut bins) = self.bins.lock(Patience::None) {
            self.collect(&mut bins);
        }
    }

    /// Marks the live or idle run at `page` as freed and puts it on the stack; its length.
    fn park(&self, page: u32, state: u32) -> Option<u32> {
        let tag = self.tags.get(page as usize)?;
        let taken = tag.load(Ordering::Relaxed);
        let len = taken & LEN;
        let ours = taken & !LEN == state
            && tag.compare_exchange(taken, PARKED | len, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !ours {
            return None;
        }
        let mut head = self.parked.load(Ordering::Relaxed);
        loop {
            self.next[page as usize].store(head, Ordering::Relaxed);
            // Release: pairs with the acquire in `collect`, so that the next owner's use of the run
            // comes after this one's. Entries leave only all at once, so a head that comes back is
            // the same stack.
            match self.parked.compare_exchange_weak(head, page + 1, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return Some(len),
                Err(seen) => head = seen,
            }
        }
    }

    /// Puts all parked runs in their bins.
    fn collect(&self, bins: &mut Bins) {
        if self.parked.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut at = self.parked.swap(0, Ordering::Acquire);
        while let Some(page) = at.checked_sub(1) {
            at = self.next[page as usize].load(Ordering::Relaxed);
            let len = self.tag(page) & LEN;
            self.set_tag(page, 0);
            self.insert(bins, page, len);
        }
    }

    /// An aligned run out of the bins.
    fn take_binned(&self, pages: u32, align: u32) -> Option<u32> {
        let padded = pages.checked_add(align - 1).filter(|padded| *padded <= LEN)?;
        let mut bins = self.bins()?;
        self.collect(&mut bins);
        let (page, len) = self.take_fitting(&mut bins, padded)?;
        Some(self.carve(&mut bins, page, len, pages, align))
    }

    /// A free run of at least `pages`, off its list: first page and length.
    fn take_fitting(&self, bins: &mut Bins, pages: u32) -> Option<(u32, u32)> {
        // Every run in the bin of the rounded length, and above, is long enough.
        let rounded = pages.checked_add((1 << pages.ilog2()) / 4)? - u32::from(pages >= 4);
        let above = bins.map & (u128::MAX << bin_of(rounded));
        if above != 0 {
            return Some(self.unlink(bins, bins.heads[above.trailing_zeros() as usize] - 1));
        }
        let mut at = bins.heads[bin_of(pages)];
        for _ in 0..FIRST_FIT_STEPS {
            let page = at.checked_sub(1)?;
            if self.tag(page) & LEN >= pages {
                return Some(self.unlink(bins, page));
            }
            at = self.next[page as usize].load(Ordering::Relaxed);
        }
        None
    }

    /// Cuts an aligned run of `pages` out of `len` unlisted pages at `page`; lists the rest.
    fn carve(&self, bins: &mut Bins, page: u32, len: u32, pages: u32, align: u32) -> u32 {
        let start = self.align_up(page, align);
        debug_assert!(start + pages <= page + len);
        if start > page {
            self.list(bins, page, start - page);
        }
        if page + len > start + pages {
            self.list(bins, start + pages, page + len - start - pages);
        }
        start
    }

    /// Moves `top` up by an aligned run. Takes no lock.
    fn take_top(&self, pages: u32, align: u32) -> Option<u32> {
        let end_of = |top| self.align_up(top, align).checked_add(pages).filter(|end| *end <= self.pages);
        // Acquire and release: pairs with the exchange in `insert` that gave the pages back.
        let top = self.top.fetch_update(Ordering::AcqRel, Ordering::Acquire, end_of).ok()?;
        let start = self.align_up(top, align);
        if start > top {
            self.set_tag(top, LIVE | (start - top));
            let gap = self.park(top, LIVE);
            debug_assert_eq!(gap, Some(start - top));
        }
        Some(start)
    }

    /// Takes what a live run needs to grow from the free run or the rest behind it.
    fn grow(&self, bins: &mut Bins, page: u32, len: u32, pages: u32) -> bool {
        let Some(end) = page.checked_add(pages).filter(|end| *end <= self.pages) else { return false };
        let behind = page + len;
        let at_top = self.top.compare_exchange(behind, end, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if !at_top {
            let tag = self.tags.get(behind as usize).map_or(0, |tag| tag.load(Ordering::Relaxed));
            if tag & FREE == 0 || (tag & LEN) < pages - len {
                return false;
            }
            let (_, free) = self.unlink(bins, behind);
            if free > pages - len {
                self.list(bins, end, free - (pages - len));
            }
        }
        self.used.fetch_max(end, Ordering::Relaxed);
        true
    }

    /// Makes `len` untagged pages free, merged with what is free around them.
    fn insert(&self, bins: &mut Bins, mut page: u32, mut len: u32) {
        if let Some(before) = page.checked_sub(1) {
            let tag = self.tag(before);
            if tag & FREE != 0 {
                let (start, more) = self.unlink(bins, page - (tag & LEN));
                page = start;
                len += more;
            }
        }
        let behind = self.tags.get((page + len) as usize).map_or(0, |tag| tag.load(Ordering::Relaxed));
        if behind & FREE != 0 {
            let (_, more) = self.unlink(bins, page + len);
            len += more;
        }
        // Fails when these pages are not the last ones, or another thread has just moved `top` up.
        if self.top.compare_exchange(page + len, page, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            self.list(bins, page, len);
        }
    }

    /// Tags and lists a free run that needs no merging.
    fn list(&self, bins: &mut Bins, page: u32, len: u32) {
        self.set_tag(page, FREE | len);
        self.set_tag(page + len - 1, FREE | len);
        let bin = bin_of(len);
        let head = bins.heads[bin];
        self.next[page as usize].store(head, Ordering::Relaxed);
        self.prev[page as usize].store(0, Ordering::Relaxed);
        if let Some(second) = head.checked_sub(1) {
            self.prev[second as usize].store(page + 1, Ordering::Relaxed);
        }
        bins.heads[bin] = page + 1;
        bins.map |= 1 << bin;
    }

    /// Takes the free run at `page` off its list and removes its tags.
    fn unlink(&self, bins: &mut Bins, page: u32) -> (u32, u32) {
        let len = self.tag(page) & LEN;
        debug_assert!(self.tag(page) & FREE != 0);
        let next = self.next[page as usize].load(Ordering::Relaxed);
        let prev = self.prev[page as usize].load(Ordering::Relaxed);
        if let Some(after) = next.checked_sub(1) {
            self.prev[after as usize].store(prev, Ordering::Relaxed);
        }
        match prev.checked_sub(1) {
            Some(before) => self.next[before as usize].store(next, Ordering::Relaxed),
            None => {
                let bin = bin_of(len);
                bins.heads[bin] = next;
                if next == 0 {
                    bins.map &= !(1 << bin);
                }
            }
        }
        self.set_tag(page, 0);
        self.set_tag(page + len - 1, 0);
        (page, len)
    }

    fn align_up(&self, page: u32, align: u32) -> u32 {
        let mask = u64::from(align) - 1;
        let aligned = (self.origin + u64::from(page) + mask) & !mask;
        u32::try_from(aligned - self.origin).unwrap_or(u32::MAX)
    }

    fn tag(&self, page: u32) -> u32 {
        self.tags[page as usize].load(Ordering::Relaxed)
    }

    fn set_tag(&self, page: u32, tag: u32) {
        self.tags[page as usize].store(tag, Ordering::Relaxed);
    }
}

/// The bin of runs of `pages` pages: doubling, then quarter of the doubling.
fn bin_of(pages: u32) -> usize {
    let log = pages.ilog2();
    let quarter = (u64::from(pages - (1 << log)) * 4) >> log;
    log as usize * 4 + quarter as usize
}
