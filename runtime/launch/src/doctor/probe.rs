//! The system calls of the checks; each undoes what it did.
//!
//! *Invariants.* None of the job's: no node runs in this process. Mappings are made only where
//! nothing is mapped (`MAP_FIXED_NOREPLACE`), nobody touches them, and they go with their value.
//! *Layout.* That of a node, from `dstd-addr`; *who may touch what, when*: the only thread.
//! *Why not safe code.* These are the calls of a node's start, which std does not have.

use std::ffi::CStr;
use std::io;
use std::mem::zeroed;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// The version of the C library that this process runs with.
pub(super) fn glibc() -> String {
    // SAFETY: takes nothing and gives a constant.
    let version = unsafe { libc::gnu_get_libc_version() };
    // SAFETY: a C string that lives as long as the library.
    unsafe { CStr::from_ptr(version) }.to_string_lossy().into_owned()
}

/// Does what a node does before it executes itself again, and takes it back.
pub(super) fn switch_randomisation_off() -> io::Result<()> {
    const ASK: libc::c_ulong = 0xffff_ffff;
    // SAFETY: asks only.
    let before = check(unsafe { libc::personality(ASK) })?;
    // SAFETY: a flag that matters at the next exec.
    check(unsafe { libc::personality((before | libc::ADDR_NO_RANDOMIZE) as libc::c_ulong) })?;
    // SAFETY: what it was before.
    check(unsafe { libc::personality(before as libc::c_ulong) })?;
    Ok(())
}

/// A mapping that nobody uses.
pub(super) struct Mapping(Range<u64>);

impl Mapping {
    /// Of a file, shared.
    pub(super) fn of_file(range: &Range<u64>, file: BorrowedFd<'_>) -> io::Result<Mapping> {
        map(range, libc::MAP_SHARED, file.as_raw_fd())
    }

    /// Of pages that would be zero.
    pub(super) fn of_zeros(range: &Range<u64>) -> io::Result<Mapping> {
        map(range, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)
    }
}

fn map(range: &Range<u64>, kind: i32, fd: RawFd) -> io::Result<Mapping> {
    let flags = kind | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
    let at = ptr::without_provenance_mut(range.start as usize);
    let len = (range.end - range.start) as usize;
    // SAFETY: never replaces a mapping, so no memory in use changes.
    let got = unsafe { libc::mmap(at, len, libc::PROT_READ | libc::PROT_WRITE, flags, fd, 0) };
    if got == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // A kernel before 4.17 takes the address as a wish.
    let found = got.addr() as u64;
    let mapping = Mapping(found..found + len as u64);
    if found == range.start { Ok(mapping) } else { Err(io::ErrorKind::AlreadyExists.into()) }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let at = ptr::without_provenance_mut(self.0.start as usize);
        // SAFETY: our own mapping, which nobody has used.
        let status = unsafe { libc::munmap(at, (self.0.end - self.0.start) as usize) };
        debug_assert_eq!(status, 0);
    }
}

/// A memory file of `bytes` bytes, none of which exists yet.
pub(super) fn memory_file(bytes: u64) -> io::Result<OwnedFd> {
    // SAFETY: the name is a C string.
    let fd = owned(unsafe { libc::memfd_create(c"dstd-doctor".as_ptr(), libc::MFD_CLOEXEC) })?;
    let _quiet = Blocked::new(libc::SIGXFSZ)?;
    // SAFETY: no memory is involved; the descriptor is open.
    check(unsafe { libc::ftruncate(fd.as_raw_fd(), bytes as libc::off_t) })?;
    Ok(fd)
}

/// A signal that the kernel sends beside an error, kept away from this thread; it is taken off
/// before it could arrive.
struct Blocked(libc::sigset_t, libc::sigset_t);

impl Blocked {
    fn new(signal: i32) -> io::Result<Blocked> {
        // SAFETY: all-zero bytes are a valid, empty `sigset_t`.
        let mut set: libc::sigset_t = unsafe { zeroed() };
        // SAFETY: the set is live and writable.
        check(unsafe { libc::sigaddset(&mut set, signal) })?;
        // SAFETY: as above.
        let mut before: libc::sigset_t = unsafe { zeroed() };
        // SAFETY: both sets are live, `before` is writable.
        match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, &mut before) } {
            0 => Ok(Blocked(set, before)),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the set and the time are live; what arrived is not asked for.
        unsafe { libc::sigtimedwait(&self.0, ptr::null_mut(), &now) };
        // SAFETY: the set is live.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.1, ptr::null_mut()) };
    }
}

/// Another process of this program, which does nothing; it ends with its value.
pub(super) struct Child(libc::pid_t);

impl Child {
    pub(super) fn start() -> io::Result<Child> {
        // SAFETY: the child makes only calls that are safe after fork, and never returns.
        let pid = check(unsafe { libc::fork() })?;
        if pid > 0 {
            return Ok(Child(pid));
        }
        // SAFETY: no memory is involved.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        loop {
            // SAFETY: sleeps.
            unsafe { libc::pause() };
        }
    }

    pub(super) const fn pid(&self) -> libc::pid_t {
        self.0
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: our own child, which was not reaped.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        // SAFETY: as above; the status is not asked for.
        unsafe { libc::waitpid(self.0, ptr::null_mut(), 0) };
    }
}

/// Which page faults to handle.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Faults {
    /// Also those inside system calls.
    All,
    UserMode,
}

/// Opens a userfaultfd as a node does: by the system call, or from the device.
pub(super) fn userfaultfd(faults: Faults) -> io::Result<()> {
    const USER_MODE_ONLY: i32 = 1;
    /// `PAGEFAULT_FLAG_WP`, `MINOR_SHMEM`, `EXACT_ADDRESS`, `WP_HUGETLBFS_SHMEM`, `WP_UNPOPULATED`.
    const FEATURES: u64 = 1 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13;
    /// `_IO(0xAA, 0)` and `_IOWR(0xAA, 0x3F, struct uffdio_api)`.
    const NEW: libc::c_ulong = 0xAA00;
    const API: libc::c_ulong = 3 << 30 | 24 << 16 | 0xAA << 8 | 0x3F;

    let mode = match faults {
        Faults::All => 0,
        Faults::UserMode => USER_MODE_ONLY,
    };
    let flags = libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: creates a descriptor; no memory is involved.
    let called = owned(unsafe { libc::syscall(libc::SYS_userfaultfd, flags | mode) } as RawFd);
    let fd = called.or_else(|refused| {
        let device = std::fs::File::options().read(true).write(true).open("/dev/userfaultfd");
        let Ok(device) = device else { return Err(refused) };
        // SAFETY: this request takes flags and gives a new descriptor; no memory is involved.
        owned(unsafe { libc::ioctl(device.as_raw_fd(), NEW, flags) })
    })?;
    let mut api = [0xAA_u64, FEATURES, 0];
    // SAFETY: the request reads and writes three words, which are live and writable.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), API, api.as_mut_ptr()) })?;
    Ok(())
}

/// A hard limit of this process; `u64::MAX`: none.
pub(super) fn hard_limit(resource: libc::__rlimit_resource_t) -> io::Result<u64> {
    Ok(limits(resource)?.rlim_max)
}

/// A limit of this process; `u64::MAX`: none.
pub(super) fn soft_limit(resource: libc::__rlimit_resource_t) -> io::Result<u64> {
    Ok(limits(resource)?.rlim_cur)
}

fn limits(resource: libc::__rlimit_resource_t) -> io::Result<libc::rlimit> {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limits` is live and writable.
    check(unsafe { libc::getrlimit(resource, &mut limits) })?;
    Ok(limits)
}

/// Whether a node can raise its own hard limits: tried with one descriptor more.
pub(super) fn may_raise_limits() -> bool {
    let Ok(before) = limits(libc::RLIMIT_NOFILE) else { return false };
    let more = libc::rlimit { rlim_max: before.rlim_max.saturating_add(1), ..before };
    // SAFETY: the structure is live.
    let raised = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &more) } == 0;
    // SAFETY: as above; what it was before is always allowed.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &before) };
    raised
}

pub(super) fn is_root() -> bool {
    // SAFETY: no memory is involved.
    unsafe { libc::geteuid() == 0 }
}

fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    check(fd)?;
    // SAFETY: the call that gave `fd` has just opened it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn check(status: i32) -> io::Result<i32> {
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(status) }
}
