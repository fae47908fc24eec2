//! Page faults by `SIGSEGV`, for users and sandboxes that userfaultfd is closed to.
//!
//! *Invariants*: PAGE-1, ISO-1. *Layout*: all global memory lies on files without names; a page that this node may
//! not read has no access rights, one that it may not write is read-only.
//!
//! | kind | file | what the engine writes through |
//! |---|---|---|
//! | own heap | the heap's | the alias |
//! | own stacks and lent thread-locals | one of their own | nothing: pages come and go by [`Segv::copy`] |
//! | stripes | one of their own | as above |
//! | statics | one of their own | as above |
//! | foreign | one of holes for all | as above |
//!
//! *Who may touch what, when*: the list of arrivals is pushed to by handlers, in any thread, and taken by the
//! engine thread; all else is the engine's. *Why not safe code*: access rights of memory, and a list whose
//! nodes lie on the stacks of waiting threads.
//!
//! *Cost*: a change of rights is a system call, and splits mappings: neighbours with equal rights merge again.

mod arrivals;
mod waiting;

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::os::fd::RawFd;

use dstd_addr::{GlobalAddr, Layout, NodeId};

use super::faults::Fault;
use crate::fatal::{self, stop};
use crate::{alloc, locals, raw, statics};
use arrivals::Waiting;
pub(crate) use waiting::{by_signal, serve_by_signal, serve_signal};

/// A range of global memory on a file.
#[derive(Debug)]
struct Backed {
    range: Range<u64>,
    file: RawFd,
    offset: u64,
}

/// The access rights of this node's pages, and who waits for them to change.
#[derive(Debug)]
pub(crate) struct Segv {
    /// Everything but the own heap.
    backed: Vec<Backed>,
    /// Tells what is born at this node.
    layout: Layout,
    me: NodeId,
    waiting: RefCell<Vec<Waiting>>,
}

impl Segv {
    /// Serves no pages: only strays are told.
    pub(crate) fn for_strays(me: NodeId, layout: Layout) -> Segv {
        Segv { backed: Vec::new(), layout, me, waiting: RefCell::new(Vec::new()) }
    }

    /// Puts all global memory of this node on files.
    ///
    /// # Errors
    /// What the kernel says.
    ///
    /// # Safety
    /// - No other thread exists, no user thread's stack is in use, no reference to a shared static lives.
    /// - Nothing reads global memory of another node before the engine runs.
    pub(crate) unsafe fn new(me: NodeId, layout: Layout, shared: &[Range<u64>; 2]) -> io::Result<Segv> {
        let reservation = alloc::reservation();
        // SAFETY: the caller's promise.
        let stacks = unsafe { reservation.share_stacks() }.map_err(io::Error::other)?;
        // SAFETY: the caller's promise.
        let (peers, placed) = unsafe { reservation.peers_on_file() }.map_err(io::Error::other)?;
        // Thread-locals lie behind the stacks, on the same file.
        locals::offer(me, stacks)?;
        let own = Layout::stacks(me).start..Layout::threads(me).end;
        let mut backed = vec![Backed { range: own, file: stacks, offset: 0 }];
        backed.extend(placed.into_iter().map(|(range, offset)| Backed { range, file: peers, offset }));
        // SAFETY: the caller's promise: nothing is allocated in it before all nodes have met.
        let stripes = unsafe { reservation.share_striped() }.map_err(io::Error::other)?;
        reservation.set_stripes_apart().map_err(io::Error::other)?;
        for stripe in reservation.foreign_stripes() {
            protect(stripe.start, stripe.end - stripe.start, libc::PROT_NONE)?;
        }
        backed.push(Backed { range: reservation.striped_range(), file: stripes, offset: 0 });
        if shared.iter().any(|range| !range.is_empty()) {
            let file = if me == NodeId::ZERO {
                // SAFETY: the caller's promise.
                unsafe { statics::share(shared) }?
            } else {
                // SAFETY: the caller's promise.
                unsafe { statics::replace_by_holes(shared) }?
            };
            for (range, offset) in statics::with_offsets(shared) {
                if me != NodeId::ZERO {
                    protect(range.start, range.end - range.start, libc::PROT_NONE)?;
                }
                backed.push(Backed { range: range.clone(), file, offset });
            }
        }
        Ok(Segv { backed, layout, me, waiting: RefCell::new(Vec::new()) })
    }

    /// Whether a page is born at this node.
    fn is_own(&self, start: u64) -> bool {
        self.layout.home(GlobalAddr(start).page()) == Some(self.me)
    }

    /// The file of a range outside the own heap, and where in it the range is.
    fn file(&self, start: u64) -> Option<(RawFd, u64)> {
        let backed = self.backed.iter().find(|backed| backed.range.contains(&start))?;
        Some((backed.file, backed.offset + (start - backed.range.start)))
    }

    /// Rights are changed page by page from the start: nothing to do.
    pub(super) fn register(&self, _start: u64, _len: u64, _mode: u64) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn write_protect(&self, start: u64, len: u64, writes_fault: bool) -> io::Result<()> {
        if writes_fault {
            return protect(start, len, libc::PROT_READ);
        }
        self.resume(start, len, true)
    }

    pub(super) fn unmap(&self, start: u64, len: u64) -> io::Result<()> {
        protect(start, len, libc::PROT_NONE)?;
        if self.is_own(start) {
            // A child that is being forked may be copying the file; and the memory is this node's anyway.
            return Ok(());
        }
        self.punch(start, len)
    }

    /// Takes pages away whose bytes nobody needs; they are zero when they come again.
    pub(super) fn discard(&self, start: u64, len: u64) -> io::Result<()> {
        protect(start, len, libc::PROT_NONE)?;
        self.punch(start, len)
    }

    /// Gives the memory of pages without rights back to the system.
    fn punch(&self, start: u64, len: u64) -> io::Result<()> {
        let Some((file, offset)) = self.file(start) else { return Ok(()) };
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        let args = [file as usize, mode as usize, offset as usize, len as usize, 0, 0];
        // SAFETY: a part of a file of ours that nobody can read any more (PAGE-1): its bytes are elsewhere or worthless.
        check(unsafe { raw::syscall(libc::SYS_fallocate, args) }).map(drop)
    }

    pub(super) fn copy(&self, start: u64, bytes: &[u8], writable: bool) -> io::Result<()> {
        let Some((file, offset)) = self.file(start) else {
            return Err(io::Error::other("it lies on no file"));
        };
        let mut done = 0;
        while done < bytes.len() {
            let rest = &bytes[done..];
            let args = [file as usize, rest.as_ptr() as usize, rest.len(), offset as usize + done, 0, 0];
            // SAFETY: the slice is valid for its length; the pages have no access rights (PAGE-1), so nobody
            // sees them half written.
            done += check(unsafe { raw::syscall(libc::SYS_pwrite64, args) })?;
        }
        self.resume(start, bytes.len() as u64, writable)
    }

    /// What was never written is zero in a file, and always readable for the engine where it may read it.
    pub(super) fn zero(&self, _start: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn resume(&self, start: u64, len: u64, writable: bool) -> io::Result<()> {
        let rights = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        protect(start, len, rights)?;
        self.wake(start, len)
    }

    pub(super) fn wake(&self, start: u64, len: u64) -> io::Result<()> {
        self.waiting.borrow_mut().retain(|thread| {
            let wakes = (start..start + len).contains(&thread.fault().address);
            if wakes {
                thread.wake();
            }
            !wakes
        });
        Ok(())
    }

    pub(super) fn read(&mut self, faults: &mut Vec<Fault>) -> io::Result<()> {
        let waiting = self.waiting.get_mut();
        let known = waiting.len();
        waiting::take(waiting);
        faults.extend(waiting[known..].iter().map(Waiting::fault));
        Ok(())
    }

    pub(super) fn has_arrived(&self) -> bool {
        waiting::has_arrived()
    }
}

/// Changes what user threads may do with pages; when this returns, no thread does otherwise.
fn protect(start: u64, len: u64, rights: i32) -> io::Result<()> {
    let args = [start as usize, len as usize, rights as usize, 0, 0, 0];
    // SAFETY: whole pages of global memory, on which no Rust object of the runtime lies; user threads that are
    // stopped by this wait for the page.
    let result = check(unsafe { raw::syscall(libc::SYS_mprotect, args) });
    if let Err(error) = &result
        && error.raw_os_error() == Some(libc::ENOMEM)
    {
        stop!(
            fatal::CANNOT,
            "more memory mappings than this system allows: run `sysctl -w vm.max_map_count=1000000` as root, or allow userfaultfd"
        );
    }
    result.map(drop)
}

/// A raw result as Rust says it.
fn check(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result as i32))
}
