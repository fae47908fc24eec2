//! What a page fault costs that userfaultfd tells another thread of the same process, which polls and sleeps as a node's
//! engine does and fills the page at once: what the kernel's part takes of a fault that another node serves.
//!
//! `bare_fault PAGES` prints the medians in microseconds of reading and of writing so many absent pages, for
//! `cargo xtask bench page`.

use std::error::Error;
use std::hint::black_box;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dstd_transport::wait::{Cores, Idle, SPIN_NS_DEFAULT, Waiter};

const PAGE: usize = 4 << 10;
/// Pages are touched in an order that is not sequential: this step meets all of a power of two.
const STRIDE: usize = 1_237;
const BYTE: u8 = 7;

const API: u64 = 0xC018_AA3F;
const REGISTER: u64 = 0xC020_AA00;
const COPY: u64 = 0xC028_AA03;
const REGISTER_MISSING: u64 = 1;
const EVENT_PAGEFAULT: u64 = 0x12;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [pages] = &words[..] else { return Err("usage: bare_fault PAGES".into()) };
    let pages: usize = pages.parse()?;
    let read = medians(pages, |byte| assert_eq!(byte.load(Ordering::Relaxed) as u8, BYTE))?;
    let write = medians(pages, |byte| byte.store(black_box(1), Ordering::Relaxed))?;
    println!("{read}\t{write}");
    Ok(())
}

/// The median time of `access` to the first word of an absent page.
fn medians(pages: usize, access: impl Fn(&AtomicU64)) -> Result<f64, Box<dyn Error>> {
    let memory = Memory::new(pages)?;
    let uffd = memory.watched()?;
    let done = AtomicBool::new(false);
    let mut us: Vec<f64> = thread::scope(|scope| {
        let _done = Done(&done);
        scope.spawn(|| {
            if let Err(error) = fill_pages(&uffd, &done) {
                // Whoever waits for a page would wait for ever.
                eprintln!("bare_fault: cannot fill pages: {error}");
                std::process::exit(1);
            }
        });
        let times = (0..pages).map(|i| {
            let word = memory.word(i * STRIDE % pages);
            let start = Instant::now();
            access(word);
            start.elapsed().as_secs_f64() * 1e6
        });
        times.collect()
    });
    us.sort_by(f64::total_cmp);
    us.get(us.len() / 2).copied().ok_or_else(|| "there are no pages".into())
}

/// Says that no more pages are touched, also when a touch has failed.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Fills the page of every fault, until there are no more.
fn fill_pages(uffd: &OwnedFd, done: &AtomicBool) -> io::Result<()> {
    let bytes = [BYTE; PAGE];
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut waiter = Waiter::new(SPIN_NS_DEFAULT, if cores > 4 { Cores::Enough } else { Cores::Shared });
    while !done.load(Ordering::Acquire) {
        if let Some(address) = next_fault(uffd) {
            let page = address & !(PAGE as u64 - 1);
            let copy = [page, bytes.as_ptr() as u64, PAGE as u64, 0, 0];
            ioctl(uffd, COPY, copy)?;
            waiter.active();
        } else if waiter.idle() == Idle::Sleep {
            let mut fds = [libc::pollfd { fd: uffd.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
            waiter.sleep(&mut fds, Some(Duration::from_millis(10)))?;
        }
    }
    Ok(())
}

/// The address of a fault that waits, if one does.
fn next_fault(uffd: &OwnedFd) -> Option<u64> {
    let mut event = [0_u64; 4];
    // SAFETY: the kernel writes at most the 32 bytes of one event into a local.
    let read = unsafe { libc::read(uffd.as_raw_fd(), event.as_mut_ptr().cast(), size_of_val(&event)) };
    (read == size_of_val(&event) as isize && event[0] & 0xff == EVENT_PAGEFAULT).then_some(event[2])
}

/// Pages that are absent until they are touched; never unmapped.
struct Memory {
    start: u64,
    pages: usize,
}

impl Memory {
    fn new(pages: usize) -> io::Result<Memory> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: the kernel chooses the place, so no existing mapping is touched.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), pages * PAGE, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Memory { start: start as u64, pages })
    }

    /// The first word of a page.
    fn word(&self, page: usize) -> &AtomicU64 {
        assert!(page < self.pages);
        let word = (self.start as usize + page * PAGE) as *mut u64;
        // SAFETY: inside the mapping, which is never undone; aligned; zeroes and what `fill_pages` copies are values.
        unsafe { AtomicU64::from_ptr(word) }
    }

    /// A userfaultfd that tells of every touch of an absent page.
    fn watched(&self) -> io::Result<OwnedFd> {
        // In user mode only: no right is needed, and nothing here touches the pages in system calls.
        let flags = libc::O_CLOEXEC | libc::O_NONBLOCK | 1;
        // SAFETY: creates a descriptor; no memory is involved.
        let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just returned this descriptor, nobody else owns it.
        let uffd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        ioctl(&uffd, API, [0xAA, 0, 0])?;
        ioctl(&uffd, REGISTER, [self.start, (self.pages * PAGE) as u64, REGISTER_MISSING, 0])?;
        Ok(uffd)
    }
}

/// An ioctl of userfaultfd on `N` words.
fn ioctl<const N: usize>(uffd: &OwnedFd, request: u64, mut words: [u64; N]) -> io::Result<()> {
    debug_assert_eq!(request >> 16 & 0x3fff, size_of::<[u64; N]>() as u64, "the size is part of the number");
    // SAFETY: the structures of these requests consist of so many words, which live for the call; the pages they name
    // are those of a `Memory`, which only atomics touch.
    let result = unsafe { libc::ioctl(uffd.as_raw_fd(), request, words.as_mut_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
