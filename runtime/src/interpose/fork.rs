//! `fork` by a user thread.
//!
//! The call is made on the native stack, which is private: it is what parent and child share without harm. In a domain
//! the child gets a copy of the stack that it will return to like of all else (see `crate::fork`). Otherwise
//! pages of that stack may be at another node; they are fetched and copied before, and put back in the child: when the
//! child touches them, its parent has gone on and uses them for something else.
//!
//! *Why not safe code*: C signatures, and pages of a stack.

use core::ffi::{c_int, c_void};
use core::ops::Range;

use dstd_addr::{Layout, PAGE_BYTES};

use super::fd::fail;
use super::next::Next;
use crate::fatal::{self, stop};
use crate::stack::on_native;
use crate::{alloc, context, fork as child, raw, record};

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
    let Some(context) = context::cluster() else {
        // SAFETY: the caller's promise.
        return unsafe { next() };
    };
    let stack = record::current().and_then(record::Record::stack).map(|(start, bytes)| Stack {
        used: used(start..start + bytes, (&raw const here).addr() as u64),
        start,
        locals: context.layout.locals_beside(record::thread_pointer()).unwrap_or(0..0),
        may_be_away: !context.direct,
    });
    match on_native(|| fork_from(next, stack)) {
        Ok(child) => child,
        Err(errno) => fail(errno) as c_int,
    }
}

/// The partition stack of the forking thread.
struct Stack {
    start: u64,
    /// What the thread may still need.
    used: Range<u64>,
    /// The program's thread-locals of the thread.
    locals: Range<u64>,
    /// Whether its pages can be at another node.
    may_be_away: bool,
}

/// What a thread that is at `here` may need of its partition stack.
fn used(stack: Range<u64>, here: u64) -> Range<u64> {
    if stack.contains(&here) {
        (here - 2 * PAGE_BYTES).max(stack.start)..stack.end
    } else {
        // In a signal handler, or at the thread's end: nobody says how far it is used.
        stack
    }
}

impl Stack {
    fn bytes(&self) -> [Vec<u8>; 2] {
        [&self.used, &self.locals].map(|range| {
            let (start, len) = (range.start as *const u8, (range.end - range.start) as usize);
            let mut copy: Vec<u8> = Vec::with_capacity(len);
            // SAFETY: this thread's own memory, mapped; absent pages are fetched. The vector has room.
            unsafe { core::ptr::copy_nonoverlapping(start, copy.as_mut_ptr(), len) };
            // SAFETY: written above.
            unsafe { copy.set_len(len) };
            copy
        })
    }

    /// In the child: whole, with its guard page.
    fn restore(&self, bytes: Option<[Vec<u8>; 2]>) {
        let guard = (self.start - PAGE_BYTES) as *mut c_void;
        // SAFETY: the guard page below this thread's stack, which a new mapping has opened.
        unsafe { libc::mprotect(guard, PAGE_BYTES as usize, libc::PROT_NONE) };
        let Some([stack, locals]) = bytes else { return };
        child::open_own(&(self.start..self.used.end));
        // SAFETY: this thread's stack as it was, in a process that has it to itself.
        unsafe { core::ptr::copy_nonoverlapping(stack.as_ptr(), self.used.start as *mut u8, stack.len()) };
        if !locals.is_empty() {
            child::open_own(&self.locals);
            // SAFETY: its thread-locals, as above.
            unsafe {
                core::ptr::copy_nonoverlapping(locals.as_ptr(), self.locals.start as *mut u8, locals.len())
            };
        }
    }
}

fn fork_from(next: Fork, stack: Option<Stack>) -> Result<c_int, c_int> {
    child::start_service().map_err(|error| error.raw_os_error().unwrap_or(libc::EAGAIN))?;
    child::check_memory()?;
    let bytes = stack.as_ref().filter(|stack| stack.may_be_away).map(Stack::bytes);
    // The child makes its view when it is stopped by this signal.
    let segv = 1 << (libc::SIGSEGV - 1);
    let blocked = child::mask();
    child::set_mask(blocked & !segv);
    let made = call(next);
    if made == 0
        && let Some(stack) = &stack
    {
        stack.restore(bytes);
    }
    let refused = if made == 0 { None } else { child::refused() };
    if made > 0
        && let Some(errno) = refused
    {
        // SAFETY: waits for the child that ends by itself; nobody else knows it.
        while unsafe { raw::syscall(libc::SYS_wait4, [made as usize, 0, 0, 0, 0, 0]) }
            == -(libc::EINTR as isize)
        {}
        child::set_mask(blocked);
        return Err(errno);
    }
    child::set_mask(if made == 0 { blocked & !segv } else { blocked });
    if made < 0 { Err(super::last_error()) } else { Ok(made) }
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
    if on_user_stack && !context::is_child() && context::cluster().is_some() {
        stop!(fatal::CANNOT, "a fork past the program's own fork function: call that one");
    }
}
