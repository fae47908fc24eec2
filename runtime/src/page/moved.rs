//! Which global pages are not where a page is born: own ones that are away, others' that are here.
//!
//! For children of `fork`: the clone copies this map together with the memory, so a child knows what it has. A bit
//! says "away" before a page leaves and "here" after it has come, and the clone waits for changes of
//! mappings: a page that the map has here is here in the child's copy as well.
//!
//! *Invariants*: PAGE-1. *Layout*: one bit for each page of all partitions, then those of the statics, then the stripes; a summary
//! has one byte for each page of bits, which is not 0 when one of them may be 1. It lies behind the bits: it is written
//! before they are, and the clone copies it after them. *Who may touch what, when*: the engine
//! writes; children of `fork` read and write their own copy. *Why not safe code*: a mapping as atomics.

use core::ops::Range;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::io;
use std::sync::OnceLock;

use dstd_addr::{GLOBAL_BASE, GlobalAddr, Layout, NodeId, PAGE_BYTES, PARTITION_BYTES};

const BITS: u64 = u64::BITS as u64;
/// Words of bits in a page.
const WORDS_PER_PAGE: u64 = PAGE_BYTES / size_of::<u64>() as u64;

struct Map {
    me: NodeId,
    layout: Layout,
    bits: &'static [AtomicU64],
    summary: &'static [AtomicU8],
}

static MAP: OnceLock<Map> = OnceLock::new();

/// Boot: from now on, changes are noted.
///
/// # Errors
/// What the kernel says.
pub(crate) fn watch(me: NodeId, layout: &Layout) -> io::Result<()> {
    let (bits, summary) = zeroed(pages_of(layout))?;
    MAP.get_or_init(|| Map { me, layout: layout.clone(), bits, summary });
    Ok(())
}

/// How many pages have a bit.
fn pages_of(layout: &Layout) -> u64 {
    let statics: u64 = layout.statics().iter().map(|range| range.end.0 - range.start.0).sum();
    let striped = layout.striped();
    u64::from(layout.nodes()) * (PARTITION_BYTES / PAGE_BYTES)
        + statics
        + (striped.end - striped.start) / PAGE_BYTES
}

/// The bits of `pages` pages and their summary, in one private mapping that stays; untouched parts cost nothing.
fn zeroed(pages: u64) -> io::Result<(&'static [AtomicU64], &'static [AtomicU8])> {
    let words = pages.div_ceil(BITS).next_multiple_of(WORDS_PER_PAGE) as usize;
    let bits_len = words * size_of::<AtomicU64>();
    let groups = words / WORDS_PER_PAGE as usize;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a fresh mapping wherever the kernel likes.
    let at = unsafe { libc::mmap(core::ptr::null_mut(), bits_len + groups, protection, flags, -1, 0) };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: within the mapping.
    let behind = unsafe { at.cast::<AtomicU8>().add(bits_len) };
    // SAFETY: zeros are valid atomics; the mapping stays, and its first part is accessed through these only.
    let bits = unsafe { core::slice::from_raw_parts(at.cast::<AtomicU64>(), words) };
    // SAFETY: as above, for the second part.
    Ok((bits, unsafe { core::slice::from_raw_parts(behind, groups) }))
}

impl Map {
    fn index(&self, address: u64) -> Option<u64> {
        if let Some(offset) = self.in_partition(address) {
            return Some(offset / PAGE_BYTES);
        }
        let page = address / PAGE_BYTES;
        let mut first = u64::from(self.layout.nodes()) * (PARTITION_BYTES / PAGE_BYTES);
        for range in self.layout.statics() {
            if (range.start.0..range.end.0).contains(&page) {
                return Some(first + page - range.start.0);
            }
            first += range.end.0 - range.start.0;
        }
        let striped = self.layout.striped();
        striped.contains(&address).then(|| first + (address - striped.start) / PAGE_BYTES)
    }

    fn is_own(&self, address: u64) -> bool {
        match self.in_partition(address) {
            Some(offset) => offset / PARTITION_BYTES == u64::from(self.me.0),
            None => self.layout.home(GlobalAddr(address).page()) == Some(self.me),
        }
    }

    fn in_partition(&self, address: u64) -> Option<u64> {
        let bytes = u64::from(self.layout.nodes()) * PARTITION_BYTES;
        address.checked_sub(GLOBAL_BASE).filter(|offset| *offset < bytes)
    }

    fn set(&self, index: u64, value: bool) {
        let (word, bit) = ((index / BITS) as usize, 1 << (index % BITS));
        if value {
            self.summary[word / WORDS_PER_PAGE as usize].store(1, Ordering::Relaxed);
            self.bits[word].fetch_or(bit, Ordering::SeqCst);
        } else if self.bits[word].load(Ordering::Relaxed) & bit != 0 {
            self.bits[word].fetch_and(!bit, Ordering::SeqCst);
        }
    }
}

/// `len` bytes of pages from `start` on have come, or (not `here`) are about to leave.
pub(crate) fn note(start: u64, len: u64, here: bool) {
    let Some(map) = MAP.get() else { return };
    for at in (start..start + len).step_by(PAGE_BYTES as usize) {
        if let Some(index) = map.index(at) {
            map.set(index, map.is_own(at) != here);
        }
    }
}

/// Whether the page at `address` is here.
pub(crate) fn is_here(address: u64) -> bool {
    let Some(map) = MAP.get() else { return true };
    let Some(index) = map.index(address) else { return true };
    let moved = map.bits[(index / BITS) as usize].load(Ordering::SeqCst) >> (index % BITS) & 1 != 0;
    moved != map.is_own(address)
}

/// Calls `each` with the runs of own pages that are away in `range`, which has one kind of memory and one home.
pub(crate) fn away(range: &Range<u64>, each: impl FnMut(Range<u64>)) {
    if let Some(map) = MAP.get()
        && map.is_own(range.start)
    {
        map.runs(range, each);
    }
}

/// Nothing of `range`, which other nodes have given birth to, is here any more.
pub(crate) fn forget(range: &Range<u64>) {
    if let Some(map) = MAP.get() {
        map.runs(range, |run| note(run.start, run.end - run.start, false));
    }
}

impl Map {
    /// Calls `each` with the runs of pages in `range` whose bits are set.
    fn runs(&self, range: &Range<u64>, mut each: impl FnMut(Range<u64>)) {
        let map = self;
        let Some(first) = map.index(range.start) else { return };
        let end = first + (range.end - range.start) / PAGE_BYTES;
        let address = |index: u64| range.start + (index - first) * PAGE_BYTES;
        let mut run: Option<u64> = None;
        let mut at = first;
        while at < end {
            let word = at / BITS;
            let (skipped, bits) =
                if map.summary[(word / WORDS_PER_PAGE) as usize].load(Ordering::Relaxed) == 0 {
                    (BITS * WORDS_PER_PAGE, 0)
                } else {
                    (BITS, map.bits[word as usize].load(Ordering::SeqCst))
                };
            let next = (at - at % skipped + skipped).min(end);
            while at < next {
                let is_away = bits >> (at % BITS) & 1 != 0;
                match (run, is_away) {
                    (None, true) => run = Some(at),
                    (Some(start), false) => {
                        each(address(start)..address(at));
                        run = None;
                    }
                    (None, false) | (Some(_), true) => {}
                }
                at = if bits == 0 { next } else { at + 1 };
            }
        }
        if let Some(start) = run {
            each(address(start)..address(end));
        }
    }
}

#[cfg(test)]
mod tests;
