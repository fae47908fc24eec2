//! Every user thread runs on a stack in its node's partition.
//!
//! The thread control block stays on the native stack that pthread makes (the kernel writes it
//! when the thread ends, so it must never be at another node); only the stack pointer changes.
//!
//! *Why not safe code*: C signatures, and the switch of stacks.

use core::ffi::{c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use super::next::{Next, look_up};
use super::spread;
use super::wishes::{self, Wishes};
use crate::fatal::{self, stop};
use crate::locals::{self, Slot};
use crate::stack::{UserStack, dstd_stack_enter, on_native};
use crate::{alloc, context, record, ship};

/// A thread's start routine.
pub(crate) type Start = extern "C-unwind" fn(*mut c_void) -> *mut c_void;
type Create =
    unsafe extern "C" fn(*mut libc::pthread_t, *const libc::pthread_attr_t, Start, *mut c_void) -> c_int;

static NEXT: Next = Next::new(c"pthread_create");

fn next() -> Create {
    // SAFETY: libc's function of this name has this type.
    unsafe { core::mem::transmute::<*mut c_void, Create>(NEXT.get()) }
}

struct Begin {
    start: Start,
    argument: *mut c_void,
    stack: UserStack,
    slot: Slot,
}

/// libc's `pthread_create`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    if alloc::in_runtime() || context::cluster().is_none() {
        if alloc::in_runtime() {
            spread::learn(start);
        } else {
            count_thread();
        }
        // SAFETY: the caller's promise.
        return unsafe { next()(thread, attributes, start, argument) };
    }
    let wishes = Wishes::of(attributes);
    let result = match spread::choose(start, &wishes) {
        node if node == context::me() => on_native(|| create(&wishes, attributes, start, argument)),
        // SAFETY: the caller's promise.
        node => unsafe { spread::start(node, wishes, start, argument) },
    };
    match result {
        Ok(made) => {
            // SAFETY: the caller passes a writable place; it is user memory, written without locks.
            unsafe { thread.write(made) };
            0
        }
        Err(errno) => errno,
    }
}

/// Starts a user thread from runtime code.
///
/// # Errors
/// The error number.
pub(crate) fn start_user_thread(
    bytes: u64,
    start: Start,
    argument: *mut c_void,
) -> Result<libc::pthread_t, c_int> {
    create(&Wishes { bytes, ..Wishes::NONE }, core::ptr::null(), start, argument)
}

fn count_thread() {
    if let Some(stats) = context::stats() {
        stats.threads_run.fetch_add(1, Ordering::Relaxed);
    }
}

/// Starts a user thread of this node; `wanted` are the attributes with the `wishes`, as far as those are of this
/// machine. Runtime code.
///
/// # Errors
/// The error number.
pub(super) fn create(
    wishes: &Wishes,
    wanted: *const libc::pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> Result<libc::pthread_t, c_int> {
    let Wishes { bytes, detached, bound } = *wishes;
    let stack = UserStack::take(bytes).ok_or(libc::EAGAIN)?;
    let Some(slot) = Slot::take() else {
        stack.give_back();
        return Err(libc::EAGAIN);
    };
    let mut attributes = core::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: initialises the attributes.
    unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) };
    let (native, native_bytes) = slot.usable();
    // SAFETY: initialised above; the slot is mapped, and is the new thread's alone until the pool hears of its end.
    unsafe {
        libc::pthread_attr_setstack(attributes.as_mut_ptr(), native as *mut c_void, native_bytes as usize)
    };
    if detached {
        // SAFETY: initialised above.
        unsafe { libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED) };
    }
    let passed_on = if bound { wishes::pass_on(wanted, attributes.as_mut_ptr()) } else { Ok(()) };
    let begin = Box::into_raw(Box::new(Begin { start, argument, stack, slot }));
    let mut made = 0;
    // Counted before it runs: the next placement sees it.
    ship::thread_started(context::me());
    let error = match passed_on {
        // SAFETY: the attributes are initialised; `begin` is given to the new thread.
        Ok(()) => unsafe { next()(&raw mut made, attributes.as_ptr(), run, begin.cast()) },
        Err(error) => error,
    };
    // SAFETY: initialised above, used no more.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    if error == 0 {
        if detached {
            slot.detached();
        }
        return Ok(made);
    }
    ship::thread_ended(context::me());
    // SAFETY: the thread was not made, so the box is still ours.
    let begin = unsafe { Box::from_raw(begin) };
    begin.stack.give_back();
    begin.slot.give_back();
    Err(error)
}

/// The start routine of every user thread.
extern "C-unwind" fn run(begin: *mut c_void) -> *mut c_void {
    let (start, argument, top, record) = {
        let _runtime = alloc::enter();
        // SAFETY: `create` gave this thread a leaked box of this type.
        let begin = unsafe { Box::from_raw(begin.cast::<Begin>()) };
        let Begin { start, argument, stack, slot } = *begin;
        locals::check(slot.start(), context::slots());
        slot.started();
        let (top, record) = (stack.top(), record::attach());
        record.keep_stack(stack);
        (start, argument, top, record)
    };
    count_thread();
    at_thread_end();
    // SAFETY: the stack belongs to this thread alone; the record's word is its own.
    let result = unsafe { dstd_stack_enter(start, argument, top, record.native_sp()) };
    if drop_thread_locals().is_some() {
        // User code once more: it may lend its locals.
        // SAFETY: as above.
        unsafe { dstd_stack_enter(destructors, core::ptr::null_mut(), top, record.native_sp()) };
    }
    // The thread is back on its native stack.
    record.leave_user_stack();
    result
}

/// libc's function that drops the thread-locals of the running thread, which it calls itself at the end of a
/// thread. A private matter of glibc: where it is missing, destructors run on the native stack.
fn drop_thread_locals() -> Option<unsafe extern "C" fn()> {
    static FOUND: OnceLock<Option<unsafe extern "C" fn()>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let found = look_up(c"__call_tls_dtors");
        // SAFETY: in glibc the function of this name has this type; null is `None`.
        unsafe { core::mem::transmute::<*mut c_void, Option<unsafe extern "C" fn()>>(found) }
    })
}

extern "C-unwind" fn destructors(_: *mut c_void) -> *mut c_void {
    if let Some(call) = drop_thread_locals() {
        // SAFETY: the thread's own code has returned; libc finds nothing left when it does the same.
        unsafe { call() };
    }
    core::ptr::null_mut()
}

/// Gives a record to a thread that was not started here: before the other nodes were joined, by
/// libc itself, or one that is past its end and runs a C library's handlers. Runtime code.
pub(super) fn attach_late() -> &'static record::Record {
    ship::thread_started(context::me());
    let record = record::attach();
    at_thread_end();
    record
}

/// Has the record taken away after the thread's thread-locals are dropped.
fn at_thread_end() {
    static KEY: OnceLock<libc::pthread_key_t> = OnceLock::new();
    let _runtime = alloc::enter();
    let key = *KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: `key` is writable.
        let error = unsafe { libc::pthread_key_create(&raw mut key, Some(ended)) };
        if error != 0 {
            stop!(fatal::INTERNAL, "cannot make a thread key (error {error})");
        }
        key
    });
    // SAFETY: the key exists; any value but null makes the destructor run.
    let error = unsafe { libc::pthread_setspecific(key, core::ptr::without_provenance(1)) };
    if error != 0 {
        stop!(fatal::INTERNAL, "cannot set a thread key (error {error})");
    }
}

unsafe extern "C" fn ended(_: *mut c_void) {
    let _runtime = alloc::enter();
    ship::thread_ended(context::me());
    record::detach();
    if let Some(slot) = Slot::at(record::thread_pointer()) {
        slot.ended();
    }
}

type GetAttributes = unsafe extern "C" fn(libc::pthread_t, *mut libc::pthread_attr_t) -> c_int;

static NEXT_GETATTR: Next = Next::new(c"pthread_getattr_np");

/// libc's `pthread_getattr_np`: the stack of the running user thread is the one in the partition. What a thread of
/// another node has is not known here, and libc could not free it: `ESRCH`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_getattr_np(
    thread: libc::pthread_t,
    attributes: *mut libc::pthread_attr_t,
) -> c_int {
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, GetAttributes>(NEXT_GETATTR.get()) };
    if spread::owner(thread) != Ok(None) {
        return libc::ESRCH;
    }
    // libc asks the kernel with allocations of its own.
    // SAFETY: the caller's promise.
    let error = on_native(|| unsafe { next(thread, attributes) });
    // SAFETY: the running thread's own identity.
    let own = unsafe { libc::pthread_self() } == thread;
    let Some((start, bytes)) =
        record::current().filter(|_| error == 0 && own).and_then(record::Record::stack)
    else {
        return error;
    };
    // SAFETY: just initialised by libc; the range is the thread's own stack.
    unsafe { libc::pthread_attr_setstack(attributes, start as *mut c_void, bytes as usize) };
    // SAFETY: as above; the guard lies below the range.
    unsafe { libc::pthread_attr_setguardsize(attributes, dstd_addr::PAGE_BYTES as usize) }
}
