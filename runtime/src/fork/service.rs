//! Pages for children, from the node that has forked them.
//!
//! ```text
//! child: page's address, and one end of a socket pair of its own   ---- ask --->   thread "dstd-pages"
//! child: the page                                                  <--- pair ---   touches it, sends it
//! ```
//! All children, and theirs, write to one socket. When the node ends, a request that it has not answered is dropped with
//! its descriptor, and the child reads the end of its pair. A child closes the node's end first of all, so that it
//! does not wait for itself.
//!
//! *Invariants*: ISO-2: the thread holds no lock while it touches a page. It waits for the engine as user threads do.
//! *Why not safe code*: messages that carry descriptors, user memory.

use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicI32, Ordering};
use std::io;
use std::sync::Mutex;
use std::thread;

use dstd_addr::{GlobalAddr, PAGE_BYTES};

use super::view::check;
use super::{SETUP, beside_streams, close};
use crate::fatal::{self, stop};
use crate::{alloc, boot, interpose, raw};

/// Where children ask.
static ASK: AtomicI32 = AtomicI32::new(-1);
/// Where the thread reads.
static ANSWER: AtomicI32 = AtomicI32::new(-1);
static STARTING: Mutex<()> = Mutex::new(());

type Page = [u8; PAGE_BYTES as usize];

/// Starts the thread, at the first fork. Runtime code.
///
/// # Errors
/// What the kernel says.
pub(crate) fn start() -> io::Result<()> {
    let Some(setup) = SETUP.get() else { return Ok(()) };
    let _starting = STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !setup.served || ASK.load(Ordering::Relaxed) >= 0 {
        return Ok(());
    }
    let [ask, answer] = pair().map_err(io::Error::from_raw_os_error)?;
    [ask, answer].into_iter().for_each(interpose::fd::set_private);
    // Signals are for user threads; but the one that brings pages is for every thread.
    let before = mask();
    set_mask(!(1 << (libc::SIGSEGV - 1)));
    let thread = thread::Builder::new()
        .name("dstd-pages".to_owned())
        .stack_size(boot::runtime_stack_bytes())
        .spawn(move || {
            let _runtime = alloc::enter();
            let _guard = fatal::StopOnUnwind;
            loop {
                serve(answer);
            }
        });
    set_mask(before);
    if let Err(error) = thread {
        close(ask);
        close(answer);
        return Err(error);
    }
    ANSWER.store(answer, Ordering::Relaxed);
    ASK.store(ask, Ordering::Relaxed);
    Ok(())
}

/// In a child: the end that belongs to the node.
pub(super) fn leave() {
    close(ANSWER.swap(-1, Ordering::Relaxed));
}

/// The running thread's blocked signals.
pub(crate) fn mask() -> u64 {
    let mut blocked = 0_u64;
    let args = [libc::SIG_SETMASK as usize, 0, (&raw mut blocked) as usize, 8, 0, 0];
    // SAFETY: the kernel writes a local.
    unsafe { raw::syscall(libc::SYS_rt_sigprocmask, args) };
    blocked
}

/// Sets the running thread's blocked signals.
pub(crate) fn set_mask(blocked: u64) {
    let args = [libc::SIG_SETMASK as usize, (&raw const blocked) as usize, 0, 8, 0, 0];
    // SAFETY: the kernel reads a local.
    unsafe { raw::syscall(libc::SYS_rt_sigprocmask, args) };
}

fn pair() -> Result<[i32; 2], i32> {
    let mut ends = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    let args = [libc::AF_UNIX as usize, kind as usize, 0, (&raw mut ends) as usize, 0, 0];
    // SAFETY: the array takes two descriptors.
    check(unsafe { raw::syscall(libc::SYS_socketpair, args) })?;
    beside_streams(ends)
}

/// Room for one descriptor beside a message.
#[repr(C)]
struct Control {
    header: libc::cmsghdr,
    fd: i32,
    _pad: i32,
}

const CONTROL_BYTES: usize = size_of::<libc::cmsghdr>() + size_of::<i32>();

impl Control {
    fn new(fd: i32) -> Control {
        let header = libc::cmsghdr {
            cmsg_len: CONTROL_BYTES,
            cmsg_level: libc::SOL_SOCKET,
            cmsg_type: libc::SCM_RIGHTS,
        };
        Control { header, fd, _pad: 0 }
    }
}

/// Sends or receives `word` with a descriptor beside it.
fn message(call: i64, socket: i32, word: &mut u64, control: &mut Control, flags: i32) -> Result<usize, i32> {
    let mut part = libc::iovec { iov_base: core::ptr::from_mut(word).cast(), iov_len: size_of::<u64>() };
    // SAFETY: all-zero is a valid header.
    let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = core::ptr::from_mut(control).cast();
    header.msg_controllen = size_of::<Control>();
    let args = [socket as usize, (&raw mut header) as usize, flags as usize, 0, 0, 0];
    loop {
        // SAFETY: the header names locals and what is borrowed here.
        match check(unsafe { raw::syscall(call, args) }) {
            Err(libc::EINTR) => {}
            result => return result,
        }
    }
}

/// Child, in a signal handler: the page at `page` as the node has it.
///
/// # Errors
/// The error number; `ECONNRESET` when the node has ended.
pub(super) fn ask(page: u64, bytes: &mut MaybeUninit<Page>) -> Result<(), i32> {
    let [mine, theirs] = pair()?;
    let (mut word, mut control) = (page, Control::new(theirs));
    let sent =
        message(libc::SYS_sendmsg, ASK.load(Ordering::Relaxed), &mut word, &mut control, libc::MSG_NOSIGNAL);
    close(theirs);
    let got = sent.and_then(|_| {
        let args = [mine as usize, bytes.as_mut_ptr() as usize, PAGE_BYTES as usize, 0, 0, 0];
        loop {
            // SAFETY: the buffer is one page.
            match check(unsafe { raw::syscall(libc::SYS_read, args) }) {
                Err(libc::EINTR) => {}
                result => return result,
            }
        }
    });
    close(mine);
    if got? == PAGE_BYTES as usize { Ok(()) } else { Err(libc::ECONNRESET) }
}

/// Answers one request.
fn serve(socket: i32) {
    let (mut page, mut control) = (0, Control::new(-1));
    match message(libc::SYS_recvmsg, socket, &mut page, &mut control, libc::MSG_CMSG_CLOEXEC) {
        Ok(8) => {}
        // Nobody has passed this: every child has the same code.
        Ok(_) => return,
        Err(error) => stop!(fatal::CANNOT, "cannot serve pages to child processes: error {error}"),
    }
    let known = SETUP.get().is_some_and(|setup| setup.layout.home(GlobalAddr(page).page()).is_some());
    if known && page % PAGE_BYTES == 0 && control.fd >= 0 {
        let bytes = read(page);
        let args = [
            control.fd as usize,
            bytes.as_ptr() as usize,
            PAGE_BYTES as usize,
            libc::MSG_NOSIGNAL as usize,
            0,
            0,
        ];
        // SAFETY: the bytes are a local's. A child that has ended needs none.
        unsafe { raw::syscall(libc::SYS_sendto, args) };
    }
    if control.fd >= 0 {
        close(control.fd);
    }
}

/// Touches a page as user threads do.
fn read(page: u64) -> Page {
    let mut bytes = [0_u8; PAGE_BYTES as usize];
    for (to, at) in bytes.chunks_exact_mut(8).zip((page..).step_by(8)) {
        // SAFETY: a word of global memory, mapped on every node; absent pages are fetched. Others may write it:
        // then either value is as good.
        let word = unsafe { (at as *const u64).read_volatile() };
        to.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}
