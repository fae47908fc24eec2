//! userfaultfd: the kernel tells the engine which thread touched which page.
//!
//! *Why not safe code*: ioctls on memory. The crates for it bind at build time through libclang
//! or lack MINOR and CONTINUE; five ioctls are less than their dependencies.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::faults::Fault;
use crate::raw;

const API: u64 = 0xAA;
const FEATURE_PAGEFAULT_FLAG_WP: u64 = 1 << 0;
const FEATURE_THREAD_ID: u64 = 1 << 8;
const FEATURE_MINOR_SHMEM: u64 = 1 << 10;
const FEATURE_EXACT_ADDRESS: u64 = 1 << 11;
const FEATURE_WP_HUGETLBFS_SHMEM: u64 = 1 << 12;
const FEATURE_WP_UNPOPULATED: u64 = 1 << 13;

const COPY_MODE_WP: u64 = 2;
const CONTINUE_MODE_WP: u64 = 2;
const WRITEPROTECT_MODE_WP: u64 = 1;

const USER_MODE_ONLY: usize = 1;

const EVENT_PAGEFAULT: u8 = 0x12;
const FAULT_WRITE: u64 = 1;
const FAULT_WP: u64 = 2;

const fn iowr(number: u64, size: usize) -> u64 {
    (3 << 30) | ((size as u64) << 16) | (0xAA << 8) | number
}
const fn ior(number: u64, size: usize) -> u64 {
    (2 << 30) | ((size as u64) << 16) | (0xAA << 8) | number
}

#[repr(C)]
struct Api {
    api: u64,
    features: u64,
    ioctls: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Range {
    start: u64,
    len: u64,
}

#[repr(C)]
struct Register {
    range: Range,
    mode: u64,
    ioctls: u64,
}

#[repr(C)]
struct Copy {
    dst: u64,
    src: u64,
    len: u64,
    mode: u64,
    copied: i64,
}

/// `uffdio_zeropage` and `uffdio_continue` have the same layout.
#[repr(C)]
struct Fill {
    range: Range,
    mode: u64,
    filled: i64,
}

#[repr(C)]
struct WriteProtect {
    range: Range,
    mode: u64,
}

/// One event as the kernel writes it (`struct uffd_msg`, page-fault arm).
#[repr(C)]
#[derive(Clone, Copy)]
struct Event {
    event: u8,
    reserved: [u8; 7],
    flags: u64,
    address: u64,
    thread: u32,
    pad: u32,
}
const _: () = assert!(size_of::<Event>() == 32);

/// A userfaultfd in blocking mode: faults inside system calls are served as well.
#[derive(Debug)]
pub(crate) struct Uffd(OwnedFd);

impl Uffd {
    /// Opens one that also sees faults in kernel mode.
    ///
    /// # Errors
    /// `EPERM` when this process may not; `ENOSYS`/`EINVAL` when the kernel lacks what is needed
    /// (Linux 6.4 has all of it).
    pub(crate) fn open() -> io::Result<Uffd> {
        Uffd::open_for_pages(0)
    }

    /// Opens one that sees faults in user mode only, for which no right is needed. A fault inside a
    /// system call makes that fail with `EFAULT`.
    ///
    /// # Errors
    /// When the kernel has no userfaultfd or a too old one, or a sandbox forbids it.
    pub(crate) fn open_user_mode() -> io::Result<Uffd> {
        Uffd::open_for_pages(USER_MODE_ONLY)
    }

    fn open_for_pages(mode: usize) -> io::Result<Uffd> {
        let uffd = Uffd::open_with(mode)?;
        let features = FEATURE_PAGEFAULT_FLAG_WP
            | FEATURE_THREAD_ID
            | FEATURE_MINOR_SHMEM
            | FEATURE_EXACT_ADDRESS
            | FEATURE_WP_HUGETLBFS_SHMEM
            | FEATURE_WP_UNPOPULATED;
        uffd.ask_for(features)?;
        Ok(uffd)
    }

    /// Opens one for memory whose touch is told and never served; in user mode only, as
    /// [`Uffd::open_user_mode`].
    ///
    /// # Errors
    /// When the kernel has no userfaultfd, or a sandbox forbids it.
    pub(crate) fn open_for_strays() -> io::Result<Uffd> {
        let uffd = Uffd::open_with(USER_MODE_ONLY)?;
        uffd.ask_for(FEATURE_EXACT_ADDRESS)?;
        Ok(uffd)
    }

    fn ask_for(&self, features: u64) -> io::Result<()> {
        let mut api = Api { api: API, features, ioctls: 0 };
        self.ioctl(iowr(0x3F, size_of::<Api>()), &mut api)
    }

    fn open_with(mode: usize) -> io::Result<Uffd> {
        let flags = (libc::O_CLOEXEC | libc::O_NONBLOCK) as usize | mode;
        // SAFETY: creates a descriptor; no memory involved.
        let fd = unsafe { raw::syscall(libc::SYS_userfaultfd, [flags, 0, 0, 0, 0, 0]) };
        if fd < 0 {
            return Uffd::open_device(fd);
        }
        // SAFETY: the kernel has just returned this descriptor, nobody else owns it.
        Ok(Uffd(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
    }

    /// The second way in: a device file that an administrator can hand to a group.
    fn open_device(refused: isize) -> io::Result<Uffd> {
        let refused = io::Error::from_raw_os_error(-refused as i32);
        let Ok(device) = std::fs::File::options().read(true).write(true).open("/dev/userfaultfd") else {
            return Err(refused);
        };
        let flags = (libc::O_CLOEXEC | libc::O_NONBLOCK) as usize;
        let request = 0xAA00; // _IO(0xAA, 0x00)
        let arguments = [device.as_raw_fd() as usize, request, flags, 0, 0, 0];
        // SAFETY: creates a descriptor; no memory involved.
        let fd = unsafe { raw::syscall(libc::SYS_ioctl, arguments) };
        if fd < 0 {
            return Err(io::Error::from_raw_os_error(-fd as i32));
        }
        // SAFETY: the kernel has just returned this descriptor, nobody else owns it.
        Ok(Uffd(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
    }

    fn ioctl<T>(&self, request: u64, argument: &mut T) -> io::Result<()> {
        loop {
            let pointer = core::ptr::from_mut(argument) as usize;
            let arguments = [self.0.as_raw_fd() as usize, request as usize, pointer, 0, 0, 0];
            // SAFETY: `argument` is the structure that `request` names and is borrowed for the call.
            // The ranges inside are pages of the global address space, which no Rust object of the
            // runtime lives on; user threads see them change as other threads' stores.
            let result = unsafe { raw::syscall(libc::SYS_ioctl, arguments) };
            match -result as i32 {
                0 => return Ok(()),
                libc::EINTR => {}
                errno => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
    }

    /// Asks for events of `len` bytes from `start`; `mode` is a sum of [`MISSING`](super::faults::MISSING), [`WP`](super::faults::WP) and
    /// [`MINOR`](super::faults::MINOR).
    pub(crate) fn register(&self, start: u64, len: u64, mode: u64) -> io::Result<()> {
        let mut argument = Register { range: Range { start, len }, mode, ioctls: 0 };
        self.ioctl(iowr(0x00, size_of::<Register>()), &mut argument)
    }

    /// Makes mapped pages read-only (`protect`) or writable again; the latter wakes waiters.
    pub(crate) fn write_protect(&self, start: u64, len: u64, protect: bool) -> io::Result<()> {
        let mode = if protect { WRITEPROTECT_MODE_WP } else { 0 };
        let mut argument = WriteProtect { range: Range { start, len }, mode };
        retry_again(|| self.ioctl(iowr(0x06, size_of::<WriteProtect>()), &mut argument))
    }

    /// Takes the mapping of pages away: the next touch is an event, where absent pages give events.
    pub(crate) fn unmap(&self, start: u64, len: u64) -> io::Result<()> {
        // SAFETY: the range is global memory that the engine owns by its directory (PAGE-1): the
        // bytes are elsewhere or worthless. No Rust object of the runtime lies there.
        let result = unsafe { libc::madvise(start as *mut libc::c_void, len as usize, libc::MADV_DONTNEED) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Maps absent pages with a copy of `bytes` and wakes waiters.
    pub(crate) fn copy(&self, start: u64, bytes: &[u8], writable: bool) -> io::Result<()> {
        let mode = if writable { 0 } else { COPY_MODE_WP };
        let src = bytes.as_ptr() as u64;
        let mut argument = Copy { dst: start, src, len: bytes.len() as u64, mode, copied: 0 };
        retry_again(|| {
            let result = self.ioctl(iowr(0x03, size_of::<Copy>()), &mut argument);
            skip_done(&mut argument.copied, |done| {
                argument.dst += done;
                argument.src += done;
                argument.len -= done;
            });
            result
        })
    }

    /// Maps absent anonymous pages with zeros.
    pub(crate) fn zero(&self, start: u64, len: u64) -> io::Result<()> {
        self.fill(0x04, start, len, 0)
    }

    /// Maps pages of the page cache that are not mapped, and wakes waiters.
    pub(crate) fn resume(&self, start: u64, len: u64, writable: bool) -> io::Result<()> {
        self.fill(0x07, start, len, if writable { 0 } else { CONTINUE_MODE_WP })
    }

    fn fill(&self, number: u64, start: u64, len: u64, mode: u64) -> io::Result<()> {
        let mut argument = Fill { range: Range { start, len }, mode, filled: 0 };
        retry_again(|| {
            let result = self.ioctl(iowr(number, size_of::<Fill>()), &mut argument);
            skip_done(&mut argument.filled, |done| {
                argument.range.start += done;
                argument.range.len -= done;
            });
            result
        })
    }

    /// Wakes the threads that wait in a range; they touch their page again.
    pub(crate) fn wake(&self, start: u64, len: u64) -> io::Result<()> {
        let mut argument = Range { start, len };
        self.ioctl(ior(0x02, size_of::<Range>()), &mut argument)
    }

    /// Reads the events that have arrived, without blocking.
    pub(crate) fn read(&self, faults: &mut Vec<Fault>) -> io::Result<()> {
        const AT_ONCE: usize = 16;
        let zero = Event { event: 0, reserved: [0; 7], flags: 0, address: 0, thread: 0, pad: 0 };
        let mut events = [zero; AT_ONCE];
        let arguments =
            [self.0.as_raw_fd() as usize, events.as_mut_ptr() as usize, size_of_val(&events), 0, 0, 0];
        // SAFETY: the buffer is valid for its size, and every bit pattern is a valid `Event`.
        let bytes = unsafe { raw::syscall(libc::SYS_read, arguments) };
        if bytes < 0 {
            return match -bytes as i32 {
                libc::EAGAIN | libc::EINTR => Ok(()),
                errno => Err(io::Error::from_raw_os_error(errno)),
            };
        }
        let count = bytes as usize / size_of::<Event>();
        faults.extend(events[..count].iter().filter(|event| event.event == EVENT_PAGEFAULT).map(|event| {
            let write = event.flags & (FAULT_WRITE | FAULT_WP) != 0;
            Fault { address: event.address, write, thread: event.thread, at: None }
        }));
        Ok(())
    }
}

impl AsRawFd for Uffd {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

/// The kernel reports how far it got before an error.
fn skip_done(done: &mut i64, advance: impl FnOnce(u64)) {
    if *done > 0 {
        advance(*done as u64);
    }
    *done = 0;
}

/// `EAGAIN` means that the address space changed under the call: it has to be made again.
fn retry_again(mut call: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match call() {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
            result => return result,
        }
    }
}
