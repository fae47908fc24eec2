//! The pages of a node that fault most, and from where: a bounded table that forgets the quiet ones.
//!
//! *Algorithm.* Space-Saving (Metwally, Agrawal, El Abbadi 2005, section 3): a page that is not in a full table takes
//! the place of the least one and inherits its count as `excess`. What is counted of a page is at most `excess` too
//! much; a page with more than 1/64 of all faults is in the table for certain. The same holds for the places in the code,
//! four a page. What differs: reads, writes and bytes are counted from when the page came, so they are exact from then on.
//!
//! *Layout*: arrays by field, so that the search touches 8 cache lines.
//! *Who may touch what, when*: one thread of the node writes (its engine), the launcher reads at any time. A reader may see
//! a row while its page changes; after the end of the node it sees it whole.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::cell::{add, get};

/// Pages in the table.
pub const HOT_PAGES: usize = 64;
/// Places in the code that are kept for a page.
pub const HOT_SITES: usize = 4;
/// Places in the code from which such a place may have been called.
pub const CALLERS: usize = 4;
/// Of a page's faults every so many-th has its place in the code looked up, beside the first ones.
const SAMPLE_EVERY: u64 = 16;

/// Words of a set of places on a page.
const PLACES_WORDS: usize = 8;
/// A page is divided into so many places: of 8 bytes where it has 4 KiB.
const PLACES: u64 = PLACES_WORDS as u64 * 64;

/// A set of places on a page, a bit for each.
pub type Places = [u64; PLACES_WORDS];

/// One number for each page of the table.
type Column = [AtomicU64; HOT_PAGES];

/// The table, as it lies in the statistics.
#[repr(C)]
#[derive(Debug)]
pub struct HotTable {
    pages: Column,
    faults: Column,
    excess: Column,
    reads: Column,
    writes: Column,
    /// Number of the kind of memory in the upper half, the home in the lower.
    places: Column,
    /// The first and the last byte of the page that was written, or read where nothing was written.
    lows: Column,
    highs: Column,
    /// The places where such bytes lie.
    touched: [[AtomicU64; PLACES_WORDS]; HOT_PAGES],
    sites: [[AtomicU64; HOT_SITES]; HOT_PAGES],
    samples: [[AtomicU64; HOT_SITES]; HOT_PAGES],
    callers: [[[AtomicU64; CALLERS]; HOT_SITES]; HOT_PAGES],
    /// No row has less, and where to look for one that has no more.
    least: AtomicU64,
    next: AtomicU64,
}

/// What kind of memory a page is part of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PageKind {
    /// Allocated memory.
    Heap,
    /// A stack of a thread.
    Stack,
    /// A large block over all nodes.
    Striped,
    /// Thread-locals of the program.
    ThreadLocal,
    /// Statics of the program.
    Static,
}

impl PageKind {
    const ALL: [PageKind; 5] =
        [PageKind::Heap, PageKind::Stack, PageKind::Striped, PageKind::ThreadLocal, PageKind::Static];

    /// What the report calls it.
    pub const fn name(self) -> &'static str {
        match self {
            PageKind::Heap => "heap",
            PageKind::Stack => "stack",
            PageKind::Striped => "striped",
            PageKind::ThreadLocal => "thread-local",
            PageKind::Static => "static",
        }
    }
}

/// A fault as the table is told of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HotFault {
    /// The byte that was touched.
    pub address: u64,
    /// Whether it was to be written.
    pub write: bool,
    /// What the page is part of.
    pub kind: PageKind,
    /// The node the page belongs to.
    pub home: u16,
}

/// A row of the table; stays the page's until the next fault is counted.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    index: usize,
    /// Whether the place in the code should be looked up and given to [`HotTable::sample`].
    pub sample: bool,
}

/// What is known of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HotPage {
    /// Address of its first byte.
    pub page: u64,
    /// What it is part of.
    pub kind: PageKind,
    /// The node it belongs to.
    pub home: u16,
    /// Its faults, at most `excess` too many.
    pub faults: u64,
    /// See `faults`.
    pub excess: u64,
    /// Read faults since it is in the table.
    pub reads: u64,
    /// Write faults since it is in the table.
    pub writes: u64,
    /// Offset of the first byte that a write fault touched; a read fault, where there was no write.
    pub low: u16,
    /// Offset of the last such byte.
    pub high: u16,
    /// Where such bytes lie.
    pub touched: Places,
    /// From where it was touched; the most frequent first.
    pub sites: Vec<HotSite>,
}

/// A place in the code that touched a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HotSite {
    /// The address of the instruction.
    pub address: u64,
    /// How many of the samples had it.
    pub samples: u64,
    /// What looked like return addresses on the stack of the last sample, the nearest first: some may be left over.
    pub callers: Vec<u64>,
}

impl HotTable {
    /// Counts a fault. Only one thread may call this and [`HotTable::sample`], else counts are lost.
    pub fn fault(&self, page_bytes: u64, fault: HotFault) -> Row {
        let offset = fault.address % page_bytes;
        let page = fault.address - offset;
        let index = self.find(page).unwrap_or_else(|| self.take_least(page, fault, offset));
        add(&self.faults[index], 1);
        self.touch(index, fault.write, offset, offset * PLACES / page_bytes);
        add(if fault.write { &self.writes[index] } else { &self.reads[index] }, 1);
        let seen = get(&self.reads[index]) + get(&self.writes[index]);
        // A page that faults once is part of a stream: looking its place up would be for nothing.
        let sample = seen > 1 && (seen.is_power_of_two() || seen.is_multiple_of(SAMPLE_EVERY));
        Row { index, sample }
    }

    /// Notes that an instruction at `address` touched the page of `row`, called from near `callers` (0: nothing known).
    pub fn sample(&self, row: Row, address: u64, callers: [u64; CALLERS]) {
        let (sites, samples) = (&self.sites[row.index], &self.samples[row.index]);
        let known = (0..HOT_SITES).find(|&site| get(&sites[site]) == address);
        let least = || (0..HOT_SITES).min_by_key(|&site| get(&samples[site]));
        let Some(site) = known.or_else(least) else { return };
        sites[site].store(address, Relaxed);
        for (cell, caller) in self.callers[row.index][site].iter().zip(callers) {
            cell.store(caller, Relaxed);
        }
        add(&samples[site], 1);
    }

    /// All pages of the table, the one with the most faults first.
    pub fn pages(&self) -> Vec<HotPage> {
        let used = (0..HOT_PAGES).filter(|&index| get(&self.pages[index]) != 0);
        let mut pages: Vec<HotPage> = used.map(|index| self.row(index)).collect();
        pages.sort_by_key(|page| (std::cmp::Reverse(page.faults), page.page));
        pages
    }

    fn row(&self, index: usize) -> HotPage {
        let place = get(&self.places[index]);
        let site = |site: usize| HotSite {
            address: get(&self.sites[index][site]),
            samples: get(&self.samples[index][site]),
            callers: self.callers[index][site].iter().map(get).filter(|&caller| caller != 0).collect(),
        };
        let mut sites: Vec<HotSite> = (0..HOT_SITES).map(site).filter(|site| site.samples > 0).collect();
        sites.sort_by_key(|site| (std::cmp::Reverse(site.samples), site.address));
        HotPage {
            page: get(&self.pages[index]),
            kind: PageKind::ALL[((place >> 32) as usize).min(PageKind::ALL.len() - 1)],
            home: place as u16,
            faults: get(&self.faults[index]),
            excess: get(&self.excess[index]),
            reads: get(&self.reads[index]),
            writes: get(&self.writes[index]),
            low: get(&self.lows[index]) as u16,
            high: get(&self.highs[index]) as u16,
            touched: std::array::from_fn(|word| get(&self.touched[index][word])),
            sites,
        }
    }

    /// Notes which byte was touched, and its place. The first write begins anew: readers of the whole page, at the end
    /// say, would hide that writers leave each other alone.
    fn touch(&self, index: usize, write: bool, offset: u64, place: u64) {
        let wrote = get(&self.writes[index]) > 0;
        if write && !wrote {
            self.forget_touched(index, offset);
        } else if write == wrote {
            self.lows[index].store(offset.min(get(&self.lows[index])), Relaxed);
            self.highs[index].store(offset.max(get(&self.highs[index])), Relaxed);
        } else {
            return;
        }
        let word = &self.touched[index][(place / 64) as usize % PLACES_WORDS];
        word.store(get(word) | 1 << (place % 64), Relaxed);
    }

    /// Only `offset` is known to be touched.
    fn forget_touched(&self, index: usize, offset: u64) {
        self.lows[index].store(offset, Relaxed);
        self.highs[index].store(offset, Relaxed);
        self.touched[index].iter().for_each(|word| word.store(0, Relaxed));
    }

    fn find(&self, page: u64) -> Option<usize> {
        self.pages.iter().position(|known| get(known) == page)
    }

    /// The next row with the least count. Counts only grow, so a walk over many pages finds it at once.
    fn least(&self) -> usize {
        let from = get(&self.next) as usize;
        let rows = || (from..from + HOT_PAGES).map(|row| row % HOT_PAGES);
        let is_least = |row: &usize| get(&self.faults[*row]) <= get(&self.least);
        let row = rows().find(is_least).unwrap_or_else(|| {
            let least = rows().min_by_key(|&row| get(&self.faults[row])).unwrap_or(0);
            self.least.store(get(&self.faults[least]), Relaxed);
            least
        });
        self.next.store(row as u64 + 1, Relaxed);
        row
    }

    /// Makes the row of the least page, or a free one, that of `page`.
    fn take_least(&self, page: u64, fault: HotFault, offset: u64) -> usize {
        let least = self.least();
        for (site, samples) in self.sites[least].iter().zip(&self.samples[least]) {
            site.store(0, Relaxed);
            samples.store(0, Relaxed);
        }
        self.excess[least].store(get(&self.faults[least]), Relaxed);
        self.reads[least].store(0, Relaxed);
        self.writes[least].store(0, Relaxed);
        self.places[least].store((fault.kind as u64) << 32 | u64::from(fault.home), Relaxed);
        self.forget_touched(least, offset);
        self.pages[least].store(page, Relaxed);
        least
    }
}
