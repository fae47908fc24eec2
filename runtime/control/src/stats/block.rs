//! The memory of a block, shared by a launcher and a node.
//!
//! *Invariants*, *Layout* and *Who may touch what, when*: see [`super`]. *Why not safe code*: memory shared by two
//! processes has no safe wrapper in std.

use std::io;
use std::mem::size_of;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;

use super::{NAME, Phase, Stats, VERSION};

/// A mapping of a [`Stats`]; unmapped when dropped.
#[derive(Debug)]
pub struct StatsBlock {
    stats: NonNull<Stats>,
    /// Kept open for whoever wants to look at a running program ([`StatsBlock::watch`]).
    _file: Option<OwnedFd>,
}

// SAFETY: the mapping may be used and unmapped from any thread, and all its fields are atomic.
unsafe impl Send for StatsBlock {}
// SAFETY: all fields of the block are atomic.
unsafe impl Sync for StatsBlock {}

impl StatsBlock {
    /// The launcher's side: a new block and the descriptor that a node inherits (close-on-exec is set).
    ///
    /// # Errors
    /// When the kernel gives no memory.
    pub fn create() -> io::Result<(StatsBlock, OwnedFd)> {
        // SAFETY: the name is a NUL-terminated literal.
        let fd = unsafe { libc::memfd_create(NAME.as_ptr(), libc::MFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was just opened and belongs to nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        may_be_as_large(size_of::<Stats>() as u64)?;
        // SAFETY: no memory is involved.
        if unsafe { libc::ftruncate(fd.as_raw_fd(), size_of::<Stats>() as libc::off_t) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let mut block = StatsBlock::mmap(libc::MAP_SHARED, fd.as_raw_fd())?;
        block._file = Some(fd.try_clone()?);
        block.version.store(VERSION, Relaxed);
        Ok((block, fd))
    }

    /// The node's side: maps the block it inherited and says that it is booting.
    ///
    /// # Errors
    /// When `fd` is no block of this version.
    pub fn map(fd: BorrowedFd<'_>) -> io::Result<StatsBlock> {
        let block = StatsBlock::watch(fd)?;
        block.set_phase(Phase::Booting);
        Ok(block)
    }

    /// Maps the block of a node that somebody else runs, and changes nothing.
    ///
    /// # Errors
    /// When `fd` is no block of this version.
    pub fn watch(fd: BorrowedFd<'_>) -> io::Result<StatsBlock> {
        // SAFETY: all-zero bytes are a valid `stat`.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: `stat` is live and writable.
        if unsafe { libc::fstat(fd.as_raw_fd(), &mut stat) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "no statistics block of this version");
        // A touch beyond the end of the file would raise SIGBUS.
        if u64::try_from(stat.st_size).ok() != Some(size_of::<Stats>() as u64) {
            return Err(wrong());
        }
        let block = StatsBlock::mmap(libc::MAP_SHARED, fd.as_raw_fd())?;
        if block.version.load(Relaxed) != VERSION {
            return Err(wrong());
        }
        Ok(block)
    }

    /// A block that nobody else sees, for a run without launcher.
    ///
    /// # Errors
    /// When the kernel gives no memory.
    pub fn private() -> io::Result<StatsBlock> {
        let block = StatsBlock::mmap(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)?;
        block.version.store(VERSION, Relaxed);
        Ok(block)
    }

    /// Keeps the mapping for the rest of the process.
    pub fn leak(self) -> &'static Stats {
        let stats = self.stats;
        std::mem::forget(self);
        // SAFETY: the mapping is valid for `Stats`, all of whose bit patterns are valid, and is never unmapped now.
        unsafe { stats.as_ref() }
    }

    fn mmap(flags: i32, fd: i32) -> io::Result<StatsBlock> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel chooses the place, so no existing mapping is touched.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), size_of::<Stats>(), protection, flags, fd, 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let stats = NonNull::new(at.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))?;
        Ok(StatsBlock { stats, _file: None })
    }
}

/// Beyond the limit of file sizes the kernel would not only refuse but also send a deadly signal.
fn may_be_as_large(bytes: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is live and writable.
    if unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if limit.rlim_cur < bytes { Err(io::Error::from_raw_os_error(libc::EFBIG)) } else { Ok(()) }
}

impl Deref for StatsBlock {
    type Target = Stats;

    fn deref(&self) -> &Stats {
        // SAFETY: the mapping lives as long as `self`, is page-aligned and large enough, and all bit patterns are valid.
        unsafe { self.stats.as_ref() }
    }
}

impl Drop for StatsBlock {
    fn drop(&mut self) {
        // SAFETY: this is the mapping made in `mmap`, and nobody can borrow from it any more.
        let status = unsafe { libc::munmap(self.stats.as_ptr().cast(), size_of::<Stats>()) };
        debug_assert_eq!(status, 0, "the mapping was whole");
    }
}
