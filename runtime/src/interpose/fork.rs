//! `fork` by a user thread.
//!
//! The call is made on the native stack, which is private. In a coherence domain stacks are
//! shared memory, so parent and child would run on one: the parent waits until the child
//! has a copy of the stack it will return to. Otherwise pages of the stack may be at another
//! node, and a child has nobody who fetches them: they are copied before and put back in it.
//! All else is a private view of the files in the child (see `alloc::fork`).
//!
//! *Why not safe code*: C signatures, and pages of a stack.

use core::ffi::{c_int, c_void};
use core::ops::Range;

use dstd_addr::{Layout, PAGE_BYTES};

use super::next::Next;
use crate::fatal::{self, stop};
use crate::stack::on_native;
use crate::{alloc, context, page, raw, record};

type Fork = unsafe extern "C" fn() -> c_int;

static NEXT: Next = Next::new(c"fork");

/// libc's `fork`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fork() -> c_int {
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Fork>(NEXT.get()) };
    let here = 0_u8;
    let stack = record::current().and_then(record::Record::stack);
    let (Some(context), Some((start, bytes))) = (context::cluster(), stack) else {
        // SAFETY: the caller's promise.
        return unsafe { next() };
    };
    let lowest = ((&raw const here).addr() as u64 - 2 * PAGE_BYTES).max(start);
    let locals = context.layout.locals_beside(record::thread_pointer()).unwrap_or(0..0);
    let own = [lowest..start + bytes, locals];
    if context.direct {
        on_native(|| fork_apart(next, start, own))
    } else {
        on_native(|| fork_with_copy(next, own))
    }
}

/// libc's own `fork`; handlers that libraries have registered for it are user code.
fn call(next: Fork) -> c_int {
    let _user = alloc::leave();
    // SAFETY: the caller of `fork` vouches for what runs in the child.
    unsafe { next() }
}

/// The handler before a fork: refuses one that would leave parent and child on one stack.
pub(crate) fn check_fork() {
    let here = 0_u8;
    let on_user_stack = Layout::stacks(context::me()).contains(&((&raw const here).addr() as u64));
    if on_user_stack
        && !context::is_child()
        && context::cluster().is_some_and(|context| context.direct || page::by_signal())
    {
        stop!(
            fatal::CANNOT,
            "a fork inside libc (daemon, forkpty) would run two processes on one stack: call fork itself, or run with --no-direct"
        );
    }
}

/// `own` is this thread's stack and thread-locals.
fn fork_with_copy(next: Fork, own: [Range<u64>; 2]) -> c_int {
    let copies = own.map(|range| {
        let (start, len) = (range.start as *mut u8, (range.end - range.start) as usize);
        let mut copy: Vec<u8> = Vec::with_capacity(len);
        // SAFETY: this thread's own memory, mapped; absent pages are fetched. The vector has room.
        unsafe { core::ptr::copy_nonoverlapping(start, copy.as_mut_ptr(), len) };
        (start, len, copy)
    });
    let child = call(next);
    if child == 0 {
        for (start, len, copy) in &copies {
            // SAFETY: the same range in the child, which has it to itself; the copy was made above.
            unsafe { core::ptr::copy_nonoverlapping(copy.as_ptr(), *start, *len) };
        }
    }
    child
}

/// `own` is this thread's stack and thread-locals, `lowest` where the stack ends.
fn fork_apart(next: Fork, lowest: u64, own: [Range<u64>; 2]) -> c_int {
    let mut ends = [0; 2];
    // SAFETY: the array takes two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return -1;
    }
    let child = call(next);
    if child == 0 {
        // The mapping is private already; a write makes the page the child's own.
        for page in own.into_iter().flat_map(|range| range.step_by(PAGE_BYTES as usize)) {
            let byte = page as *mut u8;
            // SAFETY: a page of this thread's stack or thread-locals, mapped and writable.
            let value = unsafe { byte.read_volatile() };
            // SAFETY: as above; the byte stays what it is.
            unsafe { byte.write_volatile(value) };
        }
        let guard = (lowest - PAGE_BYTES) as *mut c_void;
        // SAFETY: the guard page below this thread's stack, which the new mapping has opened.
        unsafe { libc::mprotect(guard, PAGE_BYTES as usize, libc::PROT_NONE) };
        let done = 1_u8;
        // SAFETY: writes one byte of a local.
        unsafe { raw::syscall(libc::SYS_write, [ends[1] as usize, (&raw const done) as usize, 1, 0, 0, 0]) };
    }
    close(ends[1]);
    if child > 0 {
        let mut byte = 0_u8;
        // SAFETY: reads into a local until the child has said that it is done, or has died.
        while unsafe {
            raw::syscall(libc::SYS_read, [ends[0] as usize, (&raw mut byte) as usize, 1, 0, 0, 0])
        } == -(libc::EINTR as isize)
        {}
    }
    close(ends[0]);
    child
}

fn close(fd: c_int) {
    // SAFETY: a descriptor of this module.
    unsafe { raw::syscall(libc::SYS_close, [fd as usize, 0, 0, 0, 0, 0]) };
}
