//! Runs of whole pages: where spans and large blocks come from.
//!
//! A good-fit allocator in the manner of TLSF (Masmano et al. 2004, section 4: two-level bins
//! with a bitmap), with pages as granule and all tags and links out of line.
//!
//! ```text
//! tag of a page (0 = inside a run, or never used):
//!   LIVE | len   first page of a run in use
//!   FREE | len   first page and last page of a free run
//!   0 ......................................................... top ........... pages
//!   | live | free | live live | free |            | live       | never used or given back |
//!                                                      ^ fresh: from here on never used (zero)
//! ```
//! Free runs never touch each other nor `top`: they are merged at once.
//!
//! Who may touch what: `state`, `next` and `prev` under the lock. Tags are written under the lock
//! and may be read without it: the answer then is advisory, except to the owner of a live run.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::arena::Arena;
use crate::lock::Lock;

const LIVE: u32 = 1 << 31;
const FREE: u32 = 1 << 30;
const LEN: u32 = FREE - 1;
/// Bins: four a doubling of the length.
const BINS: usize = 30 * 4;
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
    state: Lock<State>,
}

struct State {
    top: u32,
    fresh: u32,
    pages: u32,
    /// Heads of the lists: page + 1, or 0.
    bins: [u32; BINS],
    /// Which bins are not empty.
    map: u128,
}

impl Runs {
    /// Runs over `pages` pages of which the first is page `origin` of the address space.
    pub(crate) fn new(arena: &Arena, pages: u32, origin: u64) -> Option<Runs> {
        let len = pages as usize;
        Some(Runs {
            tags: arena.table(len)?,
            next: arena.table(len)?,
            prev: arena.table(len)?,
            origin,
            state: Lock::new(State { top: 0, fresh: 0, pages, bins: [0; BINS], map: 0 }),
        })
    }

    /// Hands out `pages` pages whose first is a multiple of `align` pages (a power of two).
    pub(crate) fn alloc(&self, pages: u32, align: u32) -> Option<Run> {
        debug_assert!(pages > 0 && align.is_power_of_two());
        let mut state = self.state.lock();
        let padded = pages.checked_add(align - 1).filter(|padded| *padded <= LEN)?;
        let page = match self.take_fitting(&mut state, padded) {
            Some((page, len)) => self.carve(&mut state, page, len, pages, align),
            None => self.take_top(&mut state, pages, align)?,
        };
        self.set_tag(page, LIVE | pages);
        let dirty = state.fresh.saturating_sub(page).min(pages);
        state.fresh = state.fresh.max(page + pages);
        Some(Run { page, dirty })
    }

    /// Takes back the live run that begins at `page`; its length, or `None` when there is none.
    pub(crate) fn free(&self, page: u32) -> Option<u32> {
        let mut state = self.state.lock();
        let len = self.live_len(page)?;
        self.set_tag(page, 0);
        self.insert(&mut state, page, len);
        Some(len)
    }

    /// Makes the live run at `page` `pages` long without moving it, if its neighbour allows.
    pub(crate) fn resize(&self, page: u32, pages: u32) -> bool {
        debug_assert!(pages > 0);
        let mut state = self.state.lock();
        let Some(len) = self.live_len(page) else { return false };
        if pages > len && !self.grow(&mut state, page, len, pages) {
            return false;
        }
        self.set_tag(page, LIVE | pages);
        if pages < len {
            self.insert(&mut state, page + pages, len - pages);
        }
        true
    }

    /// The length of the live run that begins at `page`.
    pub(crate) fn live_len(&self, page: u32) -> Option<u32> {
        let tag = self.tags.get(page as usize)?.load(Ordering::Relaxed);
        (tag & LIVE != 0).then_some(tag & LEN)
    }

    /// Holds the lock over a fork, so that the child does not inherit it held by another thread.
    pub(crate) fn lock_for_fork(&self) {
        self.state.acquire();
    }

    /// Ends [`Runs::lock_for_fork`].
    pub(crate) fn unlock_after_fork(&self) {
        self.state.release();
    }

    /// A free run of at least `pages`, off its list: first page and length.
    fn take_fitting(&self, state: &mut State, pages: u32) -> Option<(u32, u32)> {
        // Every run in the bin of the rounded length, and above, is long enough.
        let rounded = pages.checked_add((1 << pages.ilog2()) / 4)? - u32::from(pages >= 4);
        let above = state.map & (u128::MAX << bin_of(rounded));
        if above != 0 {
            return Some(self.unlink(state, state.bins[above.trailing_zeros() as usize] - 1));
        }
        let mut at = state.bins[bin_of(pages)];
        for _ in 0..FIRST_FIT_STEPS {
            let page = at.checked_sub(1)?;
            if self.tag(page) & LEN >= pages {
                return Some(self.unlink(state, page));
            }
            at = self.next[page as usize].load(Ordering::Relaxed);
        }
        None
    }

    /// Cuts an aligned run of `pages` out of `len` unlisted pages at `page`; lists the rest.
    fn carve(&self, state: &mut State, page: u32, len: u32, pages: u32, align: u32) -> u32 {
        let start = self.align_up(page, align);
        debug_assert!(start + pages <= page + len);
        if start > page {
            self.list(state, page, start - page);
        }
        if page + len > start + pages {
            self.list(state, start + pages, page + len - start - pages);
        }
        start
    }

    /// Moves `top` up by an aligned run.
    fn take_top(&self, state: &mut State, pages: u32, align: u32) -> Option<u32> {
        let start = self.align_up(state.top, align);
        let end = start.checked_add(pages).filter(|end| *end <= state.pages)?;
        if start > state.top {
            self.list(state, state.top, start - state.top);
        }
        state.top = end;
        Some(start)
    }

    /// Takes what a live run needs to grow from the free run or the rest behind it.
    fn grow(&self, state: &mut State, page: u32, len: u32, pages: u32) -> bool {
        let Some(end) = page.checked_add(pages).filter(|end| *end <= state.pages) else { return false };
        let behind = page + len;
        if behind == state.top {
            state.top = end;
        } else {
            let tag = self.tag(behind);
            if tag & FREE == 0 || (tag & LEN) < pages - len {
                return false;
            }
            let (_, free) = self.unlink(state, behind);
            if free > pages - len {
                self.list(state, end, free - (pages - len));
            }
        }
        state.fresh = state.fresh.max(end);
        true
    }

    /// Makes `len` untagged pages free, merged with what is free around them.
    fn insert(&self, state: &mut State, mut page: u32, mut len: u32) {
        if let Some(before) = page.checked_sub(1) {
            let tag = self.tag(before);
            if tag & FREE != 0 {
                let (start, more) = self.unlink(state, page - (tag & LEN));
                page = start;
                len += more;
            }
        }
        if page + len < state.top && self.tag(page + len) & FREE != 0 {
            let (_, more) = self.unlink(state, page + len);
            len += more;
        }
        if page + len == state.top {
            state.top = page;
        } else {
            self.list(state, page, len);
        }
    }

    /// Tags and lists a free run that needs no merging.
    fn list(&self, state: &mut State, page: u32, len: u32) {
        self.set_tag(page, FREE | len);
        self.set_tag(page + len - 1, FREE | len);
        let bin = bin_of(len);
        let head = state.bins[bin];
        self.next[page as usize].store(head, Ordering::Relaxed);
        self.prev[page as usize].store(0, Ordering::Relaxed);
        if let Some(second) = head.checked_sub(1) {
            self.prev[second as usize].store(page + 1, Ordering::Relaxed);
        }
        state.bins[bin] = page + 1;
        state.map |= 1 << bin;
    }

    /// Takes the free run at `page` off its list and removes its tags.
    fn unlink(&self, state: &mut State, page: u32) -> (u32, u32) {
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
                state.bins[bin] = next;
                if next == 0 {
                    state.map &= !(1 << bin);
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
