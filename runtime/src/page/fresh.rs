//! Own pages whose bytes nobody needs go back to the system (`Output::Fresh`).
//!
//! *Invariants*: PAGE-1: no other node holds the pages, so what the next touch makes here is the
//! only copy. It needs no event where the kernel can make it: a hole of the heap's file.
//! *Why not safe code*: `madvise`.

use std::io;

use dstd_addr::{PAGE_BYTES, PageNo};

use super::Memory;
use super::memory::{Backing, CHUNK_BYTES, done};
use super::moved;
use crate::alloc;
use crate::fatal::{self, stop};

impl Memory {
    /// Forgets the bytes of own pages: they read as zeros from now on and may be written.
    pub(crate) fn fresh(&mut self, first: PageNo, count: u32) {
        let (start, len) = (first.addr().0, u64::from(count) * PAGE_BYTES);
        match (self.backing(first), self.served) {
            (Backing::OwnHeap, served) => {
                let Some(alias) = alloc::reservation().alias(first.addr()) else {
                    stop!(fatal::INTERNAL, "HEAP-4: {first:?} has no alias")
                };
                // The alias is writable whatever the state of the page, as the kernel asks for.
                done("discard", first, remove(alias.as_ptr() as u64, len));
                // Only now: before that a thread could still have met the old bytes, writable.
                if served {
                    moved::note(start, len, true);
                    done("discard", first, self.faults().write_protect(start, len, false));
                }
            }
            (Backing::OwnAnonymous, true) => {
                done("discard", first, self.faults().discard(start, len));
                let last = start + len - 1;
                let mut chunk = start - start % CHUNK_BYTES;
                while chunk <= last {
                    let (from, to) = (chunk.max(start), (chunk + CHUNK_BYTES).min(start + len));
                    match self.faults().write_protect(from, to - from, false) {
                        // A chunk that was never exported has native faults and no protection.
                        Err(error)
                            if error.raw_os_error() == Some(libc::ENOENT) && !self.is_registered(from) => {}
                        result => done("discard", first, result),
                    }
                    chunk += CHUNK_BYTES;
                }
            }
            // In a coherence domain all own memory lies on files.
            (Backing::OwnAnonymous, false) => done("discard", first, remove(start, len)),
            (Backing::Foreign, _) => stop!(fatal::INTERNAL, "HEAP-2: {first:?} is another node's"),
        }
        moved::note(start, len, true);
    }
}

/// Makes a hole in the file that is mapped here.
fn remove(start: u64, len: u64) -> io::Result<()> {
    // SAFETY: the range is global memory of this node that its engine owns by its directory (PAGE-1) and
    // whose bytes are worthless. No Rust object of the runtime lies there.
    let result = unsafe { libc::madvise(start as *mut libc::c_void, len as usize, libc::MADV_REMOVE) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
