//! This node's view of the global pages.
//!
//! *Invariants*: PAGE-1 (what the engine decided is what the MMU enforces), ISO-1 (the engine
//! thread reads own pages through the alias, or after it made sure that they are there).
//! *Layout*: three kinds of page.
//!
//! | kind | memory | registered | bytes are read from |
//! |---|---|---|---|
//! | own heap | memfd, shared | MINOR and WP, at start | the alias |
//! | own stacks, stripes and lent thread-locals, statics at node 0 | anonymous | MISSING and WP, per chunk at its first export | the page, after it was populated |
//! | foreign | anonymous | MISSING and WP, at start | the page (mapped whenever the engine reads it) |
//!
//! *Who may touch what, when*: only the engine thread calls this. User threads touch the pages
//! all the time; the MMU stops them, and [`Faults`] tells.
//! *Why not safe code*: pages as slices.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::RawFd;

use dstd_addr::{GlobalAddr, Kind, Layout, NodeId, PAGE_BYTES, PageNo};

use super::faults::{Fault, Faults, MINOR, MISSING, WP};
use crate::fatal::{self, stop};
use crate::{alloc, locals};

/// Own anonymous memory is registered in chunks of this size, so that memory that was never
/// shared keeps native faults.
pub(super) const CHUNK_BYTES: u64 = 2 << 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Backing {
    OwnHeap,
    OwnAnonymous,
    Foreign,
}

/// The memory of this node as the page engine's outputs change it.
#[derive(Debug)]
pub(crate) struct Memory {
    me: NodeId,
    layout: Layout,
    /// Absent in a coherence domain whose host forbids it.
    faults: Option<Faults>,
    /// Whether pages are served: not in a coherence domain.
    pub(super) served: bool,
    /// First addresses of the own anonymous chunks that are registered.
    chunks: BTreeSet<u64>,
}

impl Memory {
    /// Registers everything that is registered from the start.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn new(me: NodeId, layout: Layout, faults: Faults) -> io::Result<Memory> {
        let reservation = alloc::reservation();
        let own = reservation.heap_range(me);
        faults.register(own.start, own.end - own.start, MINOR | WP)?;
        for rank in (0..layout.nodes()).map(NodeId).filter(|&rank| rank != me) {
            let heap = reservation.heap_range(rank);
            let stacks = Layout::stacks(rank);
            for range in [heap, stacks, Layout::threads(rank)] {
                faults.register(range.start, range.end - range.start, MISSING | WP)?;
            }
        }
        for stripe in reservation.foreign_stripes() {
            faults.register(stripe.start, stripe.end - stripe.start, MISSING | WP)?;
        }
        if me != NodeId::ZERO {
            for range in layout.statics().iter().filter(|range| !range.is_empty()) {
                let start = range.start.addr().0;
                faults.register(start, range.end.addr().0 - start, MISSING | WP)?;
            }
        }
        let memory = Memory { me, layout, faults: Some(faults), served: true, chunks: BTreeSet::new() };
        memory.watch_private()?;
        Ok(memory)
    }

    /// In a coherence domain: watches only what no node may touch of another.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn guard(me: NodeId, layout: Layout, faults: Faults) -> io::Result<Memory> {
        let memory = Memory { me, layout, faults: Some(faults), served: false, chunks: BTreeSet::new() };
        memory.watch_private()?;
        Ok(memory)
    }

    /// In a coherence domain, once the native stacks of others are mapped: a touch of what is no thread-local
    /// of their program is reported.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn watch_threads(&self) -> io::Result<()> {
        let Some(faults @ Faults::Uffd(_)) = &self.faults else {
            return locals::unguarded(self.me, &self.layout);
        };
        for rank in (0..self.layout.nodes()).map(NodeId).filter(|&rank| rank != self.me) {
            let range = Layout::threads(rank);
            faults.register(range.start, range.end - range.start, MISSING)?;
        }
        Ok(())
    }

    /// Private memory of others: never served, a touch is reported (HEAP-1).
    fn watch_private(&self) -> io::Result<()> {
        for rank in (0..self.layout.nodes()).map(NodeId).filter(|&rank| rank != self.me) {
            for range in [Layout::native(rank), Layout::private(rank), Layout::alias(rank)] {
                self.faults().register(range.start, range.end - range.start, MISSING)?;
            }
        }
        Ok(())
    }

    /// A descriptor that becomes readable when there are faults, if that is how they are told.
    pub(crate) fn fd(&self) -> Option<RawFd> {
        self.faults.as_ref().and_then(Faults::fd)
    }

    /// Whether there are faults that no descriptor tells of.
    pub(crate) fn has_faults(&self) -> bool {
        self.faults.as_ref().is_some_and(Faults::has_arrived)
    }

    /// Takes the faults that have arrived, without blocking.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn read_faults(&mut self, faults: &mut Vec<Fault>) -> io::Result<()> {
        self.faults.as_mut().map_or(Ok(()), |source| source.read(faults))
    }

    pub(super) fn faults(&self) -> &Faults {
        self.faults.as_ref().expect("PAGE-1: pages are served only where faults are reported")
    }

    pub(super) fn backing(&self, page: PageNo) -> Backing {
        match self.layout.kind(page.addr().0) {
            Kind::Heap(node) if node == self.me => Backing::OwnHeap,
            Kind::Stack(node) | Kind::Striped(node) | Kind::ThreadLocal(node) if node == self.me => {
                Backing::OwnAnonymous
            }
            Kind::Static if self.me == NodeId::ZERO => Backing::OwnAnonymous,
            _ => Backing::Foreign,
        }
    }

    /// `Output::Protect`.
    pub(crate) fn protect(&mut self, first: PageNo, count: u16) {
        if self.backing(first) == Backing::OwnAnonymous {
            self.populate(first, count);
        }
        let (start, len) = span(first, count);
        done("protect", first, self.faults().write_protect(start, len, true));
    }

    /// `Output::Unmap`.
    pub(crate) fn unmap(&mut self, first: PageNo, count: u16) {
        let (start, len) = span(first, count);
        match self.backing(first) {
            Backing::OwnAnonymous => self.populate(first, count),
            // A page that is not in the page cache would be made there by the next touch, without an
            // event. Reading the alias also waits for a first touch that is under way.
            Backing::OwnHeap => self.cache(first, count),
            Backing::Foreign => {}
        }
        done("unmap", first, self.faults().unmap(start, len));
    }

    /// Whether [`Memory::bytes`] still gives the bytes of a page after [`Memory::unmap`].
    pub(crate) fn outlives_unmap(&self, page: PageNo) -> bool {
        self.backing(page) == Backing::OwnHeap
    }

    /// The bytes of pages that are mapped here and that no thread of this node can write
    /// (`Body::Pages`).
    pub(crate) fn bytes(&mut self, first: PageNo, count: u16) -> &[u8] {
        let (start, len) = span(first, count);
        let pointer = match self.backing(first) {
            Backing::OwnHeap => match alloc::reservation().alias(first.addr()) {
                Some(pointer) => pointer.as_ptr().cast_const(),
                None => stop!(fatal::INTERNAL, "HEAP-4: {first:?} has no alias"),
            },
            Backing::OwnAnonymous => {
                self.populate(first, count);
                start as *const u8
            }
            Backing::Foreign => start as *const u8,
        };
        // SAFETY: the pages are mapped (alias, populated, or held by the directory) and no thread of
        // this node can write them (PAGE-1), so nobody does while the slice lives: it ends before
        // the next output is carried out.
        unsafe { core::slice::from_raw_parts(pointer, len as usize) }
    }

    /// Makes this thread's reads of an own page outside the heap not fault, which the directory lets this node read.
    pub(crate) fn make_readable(&self, page: PageNo) {
        let start = page.addr().0;
        if self.backing(page) == Backing::OwnAnonymous && self.is_registered(start) {
            match self.faults().zero(start, PAGE_BYTES) {
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
                result => done("populate", page, result),
            }
        }
    }

    /// `Output::Install`.
    pub(crate) fn install(&mut self, first: PageNo, count: u16, writable: bool, bytes: &[u8]) {
        let (start, len) = span(first, count);
        let result = match self.backing(first) {
            Backing::OwnHeap => {
                let Some(alias) = alloc::reservation().alias(first.addr()) else {
                    stop!(fatal::INTERNAL, "HEAP-4: {first:?} has no alias")
                };
                // SAFETY: the alias covers the own heap, of which these pages are part; they are
                // unmapped for user threads (PAGE-1), so nobody else accesses these bytes.
                unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), alias.as_ptr(), len as usize) };
                self.faults().resume(start, len, writable)
            }
            Backing::OwnAnonymous | Backing::Foreign => self.faults().copy(start, bytes, writable),
        };
        done("install", first, result);
    }

    /// `Output::Upgrade`.
    pub(crate) fn upgrade(&mut self, first: PageNo, count: u16) {
        let (start, len) = span(first, count);
        done("upgrade", first, self.faults().write_protect(start, len, false));
    }

    /// `Output::Resolve`.
    pub(crate) fn resolve(&mut self, page: PageNo, writable: bool) {
        let (start, len) = span(page, 1);
        let mapped = match self.backing(page) {
            Backing::OwnHeap => {
                // Only what the page cache holds can be mapped.
                self.cache(page, 1);
                self.faults().resume(start, len, writable)
            }
            Backing::OwnAnonymous => self.faults().zero(start, len),
            Backing::Foreign => Ok(()),
        };
        match mapped {
            Err(error) if error.raw_os_error() != Some(libc::EEXIST) => done("resolve", page, Err(error)),
            _ if writable => done("resolve", page, self.faults().write_protect(start, len, false)),
            _ => done("resolve", page, self.faults().wake(start, len)),
        }
    }

    /// Makes own heap pages present in the page cache.
    fn cache(&self, first: PageNo, count: u16) {
        for offset in 0..u64::from(count) {
            if let Some(alias) = alloc::reservation().alias(first.plus(offset).addr()) {
                // SAFETY: the alias covers the own heap and is always readable.
                let _byte: u8 = unsafe { alias.as_ptr().read_volatile() };
            }
        }
    }

    /// The own anonymous region that `first` is part of.
    fn region(&self, first: PageNo, len: u64) -> core::ops::Range<u64> {
        let start = first.addr().0;
        match self.layout.kind(start) {
            Kind::Static => self
                .layout
                .statics()
                .iter()
                .find(|range| range.contains(&first))
                .map_or(start..start + len, |range| range.start.addr().0..range.end.addr().0),
            Kind::Striped(_) => self.layout.striped(),
            // Never the control block and std's thread-locals behind it.
            Kind::ThreadLocal(_) => self.layout.locals_beside(start).unwrap_or(start..start + len),
            _ => Layout::stacks(self.me),
        }
    }

    /// Whether the chunk of own anonymous memory at `address` was ever exported.
    pub(super) fn is_registered(&self, address: u64) -> bool {
        let chunk = address - address % CHUNK_BYTES;
        let whole = self.region(GlobalAddr(address).page(), PAGE_BYTES);
        self.chunks.contains(&chunk.max(whole.start))
    }

    /// Makes own anonymous pages present, so that the engine never faults on them itself, and
    /// registers their chunks.
    fn populate(&mut self, first: PageNo, count: u16) {
        let (start, len) = span(first, count);
        let whole = self.region(first, len);
        let mut chunk = start - start % CHUNK_BYTES;
        while chunk < start + len {
            let from = chunk.max(whole.start);
            let to = (chunk + CHUNK_BYTES).min(whole.end);
            if self.chunks.insert(from) {
                done("register", first, self.faults().register(from, to - from, MISSING | WP));
            }
            chunk += CHUNK_BYTES;
        }
        for page in 0..u64::from(count) {
            match self.faults().zero(start + page * PAGE_BYTES, PAGE_BYTES) {
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
                result => done("populate", first, result),
            }
        }
    }
}

fn span(first: PageNo, count: u16) -> (u64, u64) {
    (first.addr().0, u64::from(count) * PAGE_BYTES)
}

/// The kernel refused what the directory had decided: coherence cannot be kept.
pub(super) fn done(what: &str, page: PageNo, result: io::Result<()>) {
    if let Err(error) = result {
        stop!(
            fatal::INTERNAL,
            "PAGE-1: cannot {what} {page:?}: {error} (was this memory unmapped or remapped?)"
        );
    }
}
