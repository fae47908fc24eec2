//! The mapping of a link's memory.
//!
//! Invariants: XPORT-2 (bytes are published by a later release store, see `sender`).
//! Layout: drawn in `layout.rs`.
//! Who may touch what, when: the peer may write any byte at any time, whatever is agreed on. So
//! there is no reference to these bytes but to atomics; bulk goes through [`copy`](super::copy).
//! By agreement the first writes its door, its count, its ring and its bulk area, the second those
//! of its own, and each may clear bits in the door of the other.
//! Why not safe code: memory that two processes share.

use crate::primitive::AtomicU64;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};

use super::copy::copy;
use super::layout::LINE_BYTES;

/// A line of shared memory.
pub(super) type Line = [AtomicU64; LINE_BYTES / 8];

/// A shared mapping; unmapped when dropped.
pub(super) struct Region {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread; all accesses are atomic or opaque
// copies, which may happen on any thread.
unsafe impl Send for Region {}
// SAFETY: as above; `&Region` gives no access that would have to be exclusive.
unsafe impl Sync for Region {}

impl Region {
    /// Maps the first `bytes` of `file`.
    ///
    /// The file must never become shorter: the caller has checked that it is sealed.
    pub(super) fn map(file: &File, bytes: usize) -> io::Result<Region> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel chooses a range that nobody uses; the descriptor is open because the
        // file is borrowed.
        let at =
            unsafe { libc::mmap(ptr::null_mut(), bytes, protection, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(at.cast()).expect("the kernel maps nothing at zero unasked");
        Ok(Region { base, bytes })
    }

    /// The line at an offset.
    pub(super) fn line(&self, at: usize) -> &Line {
        let line = self.range(at, LINE_BYTES).cast::<Line>();
        assert!(line.is_aligned(), "offset {at} is in the middle of a line");
        // SAFETY: `range` has checked that the line is mapped, and the assertion above that it is
        // aligned; it stays mapped as long as `self` is borrowed; atomics may be shared with
        // whoever writes them.
        unsafe { line.as_ref() }
    }

    /// Copies private bytes to an offset.
    pub(super) fn copy_in(&self, at: usize, from: &[u8]) {
        let to = self.range(at, from.len());
        // SAFETY: `range` has checked that the bytes are mapped, writable for everybody; `from` is
        // borrowed, and nothing private lies in the mapping.
        unsafe { copy(from.as_ptr(), to.as_ptr(), from.len()) }
    }

    /// Copies bytes at an offset to private memory.
    pub(super) fn copy_out(&self, at: usize, into: &mut [u8]) {
        let from = self.range(at, into.len());
        // SAFETY: `range` has checked that the bytes are mapped; `into` is exclusively borrowed,
        // and nothing private lies in the mapping.
        unsafe { copy(from.as_ptr(), into.as_mut_ptr(), into.len()) }
    }

    fn range(&self, at: usize, len: usize) -> NonNull<u8> {
        let end = at.checked_add(len).expect("offsets are far below the end of memory");
        assert!(end <= self.bytes, "{len} bytes at {at} are outside of a link of {} bytes", self.bytes);
        // SAFETY: `at` is at most `bytes`, as checked above, so the pointer stays in the mapping.
        unsafe { self.base.add(at) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: exactly the range that `map` got; nobody borrows from it any more.
        let failed = unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
        debug_assert_eq!(failed, 0, "a mapping can be given back");
    }
}
