//! Which pages may hold memory, and free runs whose memory goes back to the system.

use core::ops::Range;
use core::sync::atomic::Ordering;

use super::{Bins, IDLE, LEN, Runs, bin_of};

/// Memory is given back in whole units of so many pages.
const UNIT_PAGES: u32 = 16;
/// The longest idle run, 8 MiB: giving one back takes a millisecond.
const IDLE_PAGES_MAX: u32 = 2048;

/// How many words say which of `pages` pages may hold memory.
pub(super) fn words_for(pages: usize) -> usize {
    pages.div_ceil(64 * UNIT_PAGES as usize)
}

impl Runs {
    /// Takes free runs that may hold memory out of use, so that at most `keep` pages of such memory
    /// stay; as many as `into` has room for. Each must come back by [`Runs::give_idle`].
    pub(crate) fn take_idle(&self, keep: u32, into: &mut [(u32, u32)]) -> usize {
        self.freed.store(0, Ordering::Relaxed);
        let Some(mut bins) = self.bins() else { return 0 };
        self.collect(&mut bins);
        let mut surplus = self.backed_free(&bins).saturating_sub(keep);
        let mut taken = 0;
        while surplus > 0 && taken < into.len() {
            let Some((page, len)) = self.take_top_idle().or_else(|| self.take_backed(&mut bins)) else {
                break;
            };
            // From the last backed unit down, so that younger memory goes first.
            let backed = self.backed_within(page, len);
            let start = backed.start.max(backed.end.saturating_sub(IDLE_PAGES_MAX));
            let end = backed.end;
            if start > page {
                self.put_back(&mut bins, page, start - page);
            }
            if end < page + len {
                self.put_back(&mut bins, end, page + len - end);
            }
            self.set_tag(start, IDLE | (end - start));
            into[taken] = (start, end - start);
            taken += 1;
            surplus = surplus.saturating_sub(end - start);
        }
        taken
    }

    /// Ends [`Runs::take_idle`] for the run at `page`, whose memory is back at the system: it reads as
    /// zero. Never waits. False when there is no such run.
    pub(crate) fn give_idle(&self, page: u32) -> bool {
        let Some(tag) = self.tags.get(page as usize) else { return false };
        let len = tag.load(Ordering::Relaxed) & LEN;
        for unit in page / UNIT_PAGES..(page + len) / UNIT_PAGES {
            self.backed[unit as usize / 64].fetch_and(!(1 << (unit % 64)), Ordering::Relaxed);
        }
        let parked = self.park(page, IDLE).is_some();
        self.try_collect();
        parked
    }

    /// Notes that the pages are about to hold memory; how many of them, from the first, may do so already.
    pub(super) fn mark_backed(&self, page: u32, pages: u32) -> u32 {
        let mut dirty = 0;
        for (word, mask) in words(page / UNIT_PAGES..(page + pages).div_ceil(UNIT_PAGES)) {
            let before = self.backed[word].fetch_or(mask, Ordering::Relaxed) & mask;
            if before != 0 {
                let end = (word as u32 * 64 + 64 - before.leading_zeros()) * UNIT_PAGES;
                dirty = end.saturating_sub(page);
            }
        }
        dirty.min(pages)
    }

    /// The whole units within these pages, as page numbers, from the first to the last that may hold
    /// memory; empty when none does.
    fn backed_within(&self, page: u32, len: u32) -> Range<u32> {
        let (mut first, mut last) = (None, 0);
        for (word, mask) in words(page.div_ceil(UNIT_PAGES)..(page + len) / UNIT_PAGES) {
            let found = self.backed[word].load(Ordering::Relaxed) & mask;
            if found != 0 {
                first.get_or_insert(word as u32 * 64 + found.trailing_zeros());
                last = word as u32 * 64 + 64 - found.leading_zeros();
            }
        }
        first.map_or(page..page, |first| first * UNIT_PAGES..last * UNIT_PAGES)
    }

    /// How many pages of the whole units within these pages may hold memory.
    fn count_backed(&self, page: u32, len: u32) -> u32 {
        words(page.div_ceil(UNIT_PAGES)..(page + len) / UNIT_PAGES)
            .map(|(word, mask)| (self.backed[word].load(Ordering::Relaxed) & mask).count_ones() * UNIT_PAGES)
            .sum()
    }

    /// How many pages of free runs may hold memory.
    fn backed_free(&self, bins: &Bins) -> u32 {
        let (top, used) = (self.top.load(Ordering::Relaxed), self.used.load(Ordering::Relaxed));
        let above = self.count_backed(top, used.saturating_sub(top));
        above + self.listed(bins).map(|page| self.count_backed(page, self.tag(page) & LEN)).sum::<u32>()
    }

    /// The first pages of the free runs that can hold a unit, the largest bins first.
    fn listed<'a>(&'a self, bins: &'a Bins) -> impl Iterator<Item = u32> + 'a {
        let heads = bins.heads[bin_of(UNIT_PAGES)..].iter().rev();
        heads.flat_map(|head| {
            core::iter::successors(head.checked_sub(1), |page| {
                self.next[*page as usize].load(Ordering::Relaxed).checked_sub(1)
            })
        })
    }

    /// A listed run that may hold memory, off its list.
    fn take_backed(&self, bins: &mut Bins) -> Option<(u32, u32)> {
        let page = self.listed(bins).find(|page| self.count_backed(*page, self.tag(*page) & LEN) > 0)?;
        Some(self.unlink(bins, page))
    }

    /// The pages between `top` and the end of what was ever used, if they may hold memory.
    fn take_top_idle(&self) -> Option<(u32, u32)> {
        let (top, used) = (self.top.load(Ordering::Relaxed), self.used.load(Ordering::Relaxed));
        let some = used > top && self.count_backed(top, used - top) > 0;
        // As in `take_top`. Fails when another thread has just moved `top`.
        let ours = some && self.top.compare_exchange(top, used, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        ours.then(|| (top, used - top))
    }

    /// Lists what was cut off a run that was taken; its other end is not free.
    fn put_back(&self, bins: &mut Bins, page: u32, len: u32) {
        if self.top.compare_exchange(page + len, page, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            self.list(bins, page, len);
        }
    }
}

/// The words of a bitmap that hold these bits, with the mask of the bits.
fn words(bits: Range<u32>) -> impl Iterator<Item = (usize, u64)> {
    (bits.start / 64..bits.end.div_ceil(64).max(bits.start / 64)).map(move |word| {
        let from = bits.start.saturating_sub(word * 64).min(64);
        let to = bits.end.saturating_sub(word * 64).min(64);
        let below = |bit: u32| if bit == 64 { u64::MAX } else { (1 << bit) - 1 };
        (word as usize, below(to) & !below(from))
    })
}
