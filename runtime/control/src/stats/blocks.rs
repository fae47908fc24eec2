//! What lies on the pages of a node that are asked for most, and from where it was allocated: kept with
//! `--hot-pages` only.
//!
//! *Algorithm.* Space-Saving over the requests for pages of this node's heap, as in [`super::hot`]. A page is described
//! when it is asked for the 2nd, 4th, 8th.. time: it may hold other blocks by then. All blocks of a page have one size, so a
//! byte for each says from where it comes: the number of a trace. Traces are few; one that no page names gives its number away.
//!
//! *Layout*: columns, as in `hot`; a trace is two instructions a word.
//! *Who may touch what, when*: one thread of the node writes (its engine), but for the rows of striped blocks, which any thread
//! claims with one exchange. The launcher reads at any time and may meet a row that is being changed; after the end of the
//! node it sees all whole.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::cell::{add, get};

/// Pages that are described.
pub const BLOCK_PAGES: usize = 32;
/// Traces that pages can name.
const TRACES: usize = 127;
/// How many calls of a trace are kept, the innermost first.
pub const TRACE_CALLS: usize = 24;
/// Blocks on a page: of 16 bytes at least, the first of which may begin on the page before.
const PAGE_BLOCKS: usize = 257;
/// Blocks over all nodes that are remembered, each at the node that allocated it.
const STRIPED_BLOCKS: usize = 16;

type Column = [AtomicU64; BLOCK_PAGES];
type TraceWords = [AtomicU64; TRACE_CALLS / 2];

/// Return addresses on the way to an allocation, the innermost first, as addresses in the program's file. 0: no more.
pub type Trace = [u32; TRACE_CALLS];

/// The table, as it lies in the statistics.
#[repr(C)]
#[derive(Debug)]
pub struct BlockTable {
    pages: Column,
    requests: Column,
    /// Those since the page is in the table.
    seen: Column,
    /// The first block that reaches into the page, and the size of each.
    firsts: Column,
    sizes: Column,
    /// For each block the number of its trace, 0 where it is not known; a byte each.
    numbers: [[AtomicU64; PAGE_BLOCKS.div_ceil(8)]; BLOCK_PAGES],
    /// What the node calls the trace of a number; 0: free.
    names: [AtomicU64; TRACES],
    traces: [TraceWords; TRACES],
    striped: [StripedRow; STRIPED_BLOCKS],
    /// How many striped blocks were ever noted.
    striped_noted: AtomicU64,
}

#[repr(C)]
#[derive(Debug)]
struct StripedRow {
    start: AtomicU64,
    bytes: AtomicU64,
    trace: TraceWords,
}

/// A page as the node describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageOfBlocks {
    /// Where the first block begins that reaches into the page.
    pub first: u64,
    /// The size of each block.
    pub bytes: u64,
}

/// What is known of a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// Where it begins.
    pub start: u64,
    /// What it has room for.
    pub bytes: u64,
    /// The calls that led to its allocation, the innermost first: return addresses in the program's file. Empty where unknown.
    pub trace: Vec<u64>,
}

/// A copy of a table, to look blocks up in.
#[derive(Clone, Default, Debug)]
pub struct Blocks {
    pages: BTreeMap<u64, (PageOfBlocks, Vec<u8>)>,
    traces: Vec<Vec<u64>>,
    striped: Vec<Block>,
}

impl BlockTable {
    /// Counts a request for `page` (the address of its first byte); the row in which to describe it, if that is due.
    pub fn ask(&self, page: u64) -> Option<usize> {
        let row = self.pages.iter().position(|known| get(known) == page).unwrap_or_else(|| {
            let row = (0..BLOCK_PAGES).min_by_key(|&row| get(&self.requests[row])).unwrap_or(0);
            self.sizes[row].store(0, Relaxed);
            self.seen[row].store(0, Relaxed);
            self.clear(row);
            self.pages[row].store(page, Relaxed);
            row
        });
        add(&self.requests[row], 1);
        add(&self.seen[row], 1);
        let seen = get(&self.seen[row]);
        (seen > 1 && seen.is_power_of_two()).then_some(row)
    }

    /// Describes the page of `row`; `names` are what the node calls the traces of its blocks, in order (0: unknown), and
    /// `trace` says what such a trace is.
    pub fn describe(
        &self,
        row: usize,
        page: PageOfBlocks,
        names: impl Iterator<Item = u16>,
        trace: impl Fn(u16) -> Trace,
    ) {
        self.firsts[row].store(page.first, Relaxed);
        self.sizes[row].store(page.bytes, Relaxed);
        self.clear(row);
        for (at, name) in names.take(PAGE_BLOCKS).enumerate().filter(|(_, name)| *name != 0) {
            let number = u64::from(self.number(name, &trace));
            let word = &self.numbers[row][at / 8];
            word.store(get(word) | number << (8 * (at % 8)), Relaxed);
        }
    }

    /// Notes a striped block, in place of the oldest where there is no room.
    pub fn note_striped(&self, start: u64, bytes: u64, trace: &Trace) {
        // Another node may have freed an earlier block there.
        let same = self.striped.iter().find(|row| get(&row.start) == start);
        let free = same.or_else(|| self.striped.iter().find(|row| row.claim(start)));
        let row = free.unwrap_or_else(|| {
            let oldest = self.striped_noted.fetch_add(1, Relaxed) as usize % STRIPED_BLOCKS;
            self.striped[oldest].start.store(start, Relaxed);
            &self.striped[oldest]
        });
        row.bytes.store(bytes, Relaxed);
        store(&row.trace, trace);
    }

    /// Forgets the striped block at `start`, if this node has noted it; or notes its new size.
    pub fn resize_striped(&self, start: u64, bytes: Option<u64>) {
        for row in self.striped.iter().filter(|row| get(&row.start) == start) {
            match bytes {
                Some(bytes) => row.bytes.store(bytes, Relaxed),
                None => row.start.store(0, Relaxed),
            }
        }
    }

    /// All there is.
    pub fn read(&self) -> Blocks {
        let used = (0..BLOCK_PAGES).filter(|&row| get(&self.sizes[row]) != 0);
        let page = |row: usize| {
            let page = PageOfBlocks { first: get(&self.firsts[row]), bytes: get(&self.sizes[row]) };
            let numbers = self.numbers[row].iter().flat_map(|word| get(word).to_le_bytes()).collect();
            (get(&self.pages[row]), (page, numbers))
        };
        let striped = self.striped.iter().filter(|row| get(&row.start) != 0);
        Blocks {
            pages: used.map(page).collect(),
            traces: self.traces.iter().map(load).collect(),
            striped: striped
                .map(|row| Block { start: get(&row.start), bytes: get(&row.bytes), trace: load(&row.trace) })
                .collect(),
        }
    }

    fn clear(&self, row: usize) {
        self.numbers[row].iter().for_each(|word| word.store(0, Relaxed));
    }

    /// The number of the trace that the node calls `name`; 0 when all numbers are named by pages.
    fn number(&self, name: u16, trace: impl Fn(u16) -> Trace) -> u8 {
        let position = |name: u64| self.names.iter().position(|known| get(known) == name);
        let at = position(name.into()).or_else(|| {
            let at = position(0).or_else(|| self.unnamed())?;
            self.names[at].store(name.into(), Relaxed);
            store(&self.traces[at], &trace(name));
            Some(at)
        });
        at.map_or(0, |at| at as u8 + 1)
    }

    /// A trace that no page names.
    fn unnamed(&self) -> Option<usize> {
        let mut named = [false; TRACES + 1];
        for number in self.numbers.iter().flatten().flat_map(|word| get(word).to_le_bytes()) {
            named[usize::from(number).min(TRACES)] = true;
        }
        (0..TRACES).find(|&at| !named[at + 1])
    }
}

impl StripedRow {
    /// Takes a row that is free.
    fn claim(&self, start: u64) -> bool {
        self.start.compare_exchange(0, start, Relaxed, Relaxed).is_ok()
    }
}

impl Blocks {
    /// The block of this node's heap that holds the byte at `address` of the page at `page`.
    pub fn on_page(&self, page: u64, address: u64) -> Option<Block> {
        let (of, numbers) = self.pages.get(&page)?;
        // The page may be changing while somebody looks.
        let at = address.checked_sub(of.first)?.checked_div(of.bytes)?;
        let number = usize::from(*numbers.get(usize::try_from(at).ok()?)?);
        let trace = number.checked_sub(1).and_then(|at| self.traces.get(at)).cloned();
        Some(Block { start: of.first + at * of.bytes, bytes: of.bytes, trace: trace.unwrap_or_default() })
    }

    /// Some trace, if anything was noted: all begin in the runtime.
    pub fn any_trace(&self) -> Option<&[u64]> {
        let striped = self.striped.iter().map(|block| &block.trace);
        self.traces.iter().chain(striped).find(|trace| !trace.is_empty()).map(Vec::as_slice)
    }

    /// The striped block, among those this node allocated last, that holds the byte at `address`.
    pub fn striped(&self, address: u64) -> Option<&Block> {
        // Whatever the node wrote there, this must not overflow.
        let holds = |block: &&Block| address.checked_sub(block.start).is_some_and(|at| at < block.bytes);
        self.striped.iter().find(holds)
    }
}

fn store(words: &TraceWords, trace: &Trace) {
    for (word, pair) in words.iter().zip(trace.as_chunks::<2>().0) {
        word.store(u64::from(pair[1]) << 32 | u64::from(pair[0]), Relaxed);
    }
}

fn load(words: &TraceWords) -> Vec<u64> {
    let calls = words.iter().map(get).flat_map(|word| [word & 0xffff_ffff, word >> 32]);
    calls.take_while(|&call| call != 0).collect()
}
