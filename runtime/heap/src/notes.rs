//! A small number for each block that somebody wants to remember, and what block an address lies in.
//!
//! *Layout*: a u16 for 16 bytes of the range, taken from the metadata when the first one wants it; that of a block's first
//! bytes counts.
//!
//! *Who may touch what, when*: whoever allocated a block notes it before anybody else knows the block. A reader may be
//! late: what it learns of a block that is being freed or allocated is advice.

use core::sync::atomic::Ordering;

use dstd_addr::PAGE_SHIFT;

use crate::heap::{Heap, Inner, Place};

/// log2 of the bytes for which there is a note.
const NOTE_SHIFT: u32 = 4;
/// A large block is not found from further in than so many pages, 256 MiB, unless it was the one asked for last: the search
/// goes from page to page, on the engine's thread.
const PAGES_MAX: u32 = 1 << 16;

impl Heap {
    /// Makes room for notes; whether there is any. Costs no memory but where blocks are noted.
    pub fn keep_notes(&self) -> bool {
        let Some(inner) = self.inner() else { return false };
        if inner.notes.get().is_none()
            && let Some(table) = inner.arena.table(inner.len as usize >> NOTE_SHIFT)
        {
            // Another thread may have been as fast; its table counts.
            inner.notes.get_or_init(|| table);
        }
        inner.notes.get().is_some()
    }

    /// Notes `note` for the block at `addr`; does nothing for an address outside, or without room for notes.
    pub fn note(&self, addr: u64, note: u16) {
        let Some(inner) = self.inner().filter(|inner| inner.contains(addr)) else { return };
        if let Some(notes) = inner.notes.get() {
            notes[((addr - inner.start) >> NOTE_SHIFT) as usize].store(note, Ordering::Relaxed);
        }
    }

    /// What was noted for the block at `addr`, also when it has been freed since; 0 when nothing was.
    pub fn noted(&self, addr: u64) -> u16 {
        let Some(inner) = self.inner().filter(|inner| inner.contains(addr)) else { return 0 };
        let notes = inner.notes.get();
        notes.map_or(0, |notes| notes[((addr - inner.start) >> NOTE_SHIFT) as usize].load(Ordering::Relaxed))
    }

    /// Start and bytes of the block that `addr` lies in, be it live or free; `None` where there is none, or where a large
    /// block begins further away than anybody looks.
    pub fn block_around(&self, addr: u64) -> Option<(u64, u64)> {
        let inner = self.inner().filter(|inner| inner.contains(addr))?;
        match inner.place(addr) {
            Place::Span(class, start) => {
                let bytes = class.size() as u64;
                Some((start + (addr - start) / bytes * bytes, bytes))
            }
            Place::Page(page) => inner.run_around(page),
        }
    }
}

impl Inner {
    fn run_around(&self, page: u32) -> Option<(u64, u64)> {
        let len_at = |first: u32| {
            let reaches = |len: &u32| page.checked_sub(first).is_some_and(|at| at < *len);
            self.runs.live_len(first).filter(reaches)
        };
        let last = self.run_asked.load(Ordering::Relaxed);
        let (first, len) = len_at(last).map(|len| (last, len)).or_else(|| {
            let mut near = (page.saturating_sub(PAGES_MAX)..=page).rev();
            let first = near.find(|&page| self.runs.begins(page))?;
            self.run_asked.store(first, Ordering::Relaxed);
            Some((first, len_at(first)?))
        })?;
        Some((self.page_addr(first), u64::from(len) << PAGE_SHIFT))
    }
}
