//! The end of a thread, as others hear of it: its native stack is free again.
//!
//! libc's functions do all the work, at the node that has the thread; the pool of native stacks is told.
//!
//! *Why not safe code*: C signatures.

use core::ffi::{c_int, c_void};

use super::next::Next;
use super::spread;
use crate::context;
use crate::locals::Slot;
use crate::stack::on_native;

type Detach = unsafe extern "C" fn(libc::pthread_t) -> c_int;
type Join = unsafe extern "C" fn(libc::pthread_t, *mut *mut c_void) -> c_int;
type TimedJoin = unsafe extern "C" fn(libc::pthread_t, *mut *mut c_void, *const libc::timespec) -> c_int;
type ClockJoin =
    unsafe extern "C" fn(libc::pthread_t, *mut *mut c_void, libc::clockid_t, *const libc::timespec) -> c_int;

static DETACH: Next = Next::new(c"pthread_detach");
static JOIN: Next = Next::new(c"pthread_join");
static TRY_JOIN: Next = Next::new(c"pthread_tryjoin_np");
static TIMED_JOIN: Next = Next::new(c"pthread_timedjoin_np");
static CLOCK_JOIN: Next = Next::new(c"pthread_clockjoin_np");

/// The slot of a thread that this runtime has made: its identity is an address in the slot.
fn slot(thread: libc::pthread_t) -> Option<Slot> {
    context::cluster()?;
    Slot::at(thread)
}

/// After a join with this result.
fn joined(thread: libc::pthread_t, result: c_int) -> c_int {
    if result == 0
        && let Some(slot) = slot(thread)
    {
        on_native(|| slot.give_back());
    }
    result
}

/// Makes a join at the node that has the thread, if that is another, and brings the thread's value here.
///
/// # Network
/// 1 round trip, in the time of the join.
fn elsewhere(
    thread: libc::pthread_t,
    value: *mut *mut c_void,
    join: impl FnOnce(*mut *mut c_void) -> c_int,
) -> Option<c_int> {
    let at_owner = move || {
        let mut found = core::ptr::null_mut();
        (join(&raw mut found), found)
    };
    // SAFETY: the joins of this file capture numbers; the value is the program's own, as between threads of one node.
    let (result, found) = unsafe { spread::elsewhere(thread, at_owner) }?;
    if let Some(found) = found
        && result == 0
        && !value.is_null()
    {
        // SAFETY: the caller of the join passes null or a writable place.
        unsafe { value.write(found) };
    }
    Some(result)
}

/// libc's `pthread_detach`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_detach(thread: libc::pthread_t) -> c_int {
    // SAFETY: the caller's promise.
    let call = move || (unsafe { pthread_detach(thread) }, ());
    // SAFETY: a number.
    if let Some((result, _)) = unsafe { spread::elsewhere(thread, call) } {
        return result;
    }
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Detach>(DETACH.get()) };
    // SAFETY: the caller's promise.
    let result = unsafe { next(thread) };
    if result == 0
        && let Some(slot) = slot(thread)
    {
        on_native(|| slot.detached());
    }
    result
}

/// libc's `pthread_join`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_join(thread: libc::pthread_t, value: *mut *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    if let Some(result) = elsewhere(thread, value, move |found| unsafe { pthread_join(thread, found) }) {
        return result;
    }
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Join>(JOIN.get()) };
    // SAFETY: the caller's promise.
    joined(thread, unsafe { next(thread, value) })
}

/// libc's `pthread_tryjoin_np`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_tryjoin_np(
    thread: libc::pthread_t,
    value: *mut *mut c_void,
) -> c_int {
    // SAFETY: the caller's promise.
    if let Some(result) = elsewhere(thread, value, move |found| unsafe { pthread_tryjoin_np(thread, found) })
    {
        return result;
    }
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Join>(TRY_JOIN.get()) };
    // SAFETY: the caller's promise.
    joined(thread, unsafe { next(thread, value) })
}

/// Where a time lies that may not be given.
fn at(time: &Option<libc::timespec>) -> *const libc::timespec {
    time.as_ref().map_or(core::ptr::null(), core::ptr::from_ref)
}

/// libc's `pthread_timedjoin_np`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_timedjoin_np(
    thread: libc::pthread_t,
    value: *mut *mut c_void,
    until: *const libc::timespec,
) -> c_int {
    // SAFETY: null, or a time of the caller's.
    let copy = unsafe { until.as_ref() }.copied();
    // SAFETY: the caller's promise.
    let join = move |found| unsafe { pthread_timedjoin_np(thread, found, at(&copy)) };
    if let Some(result) = elsewhere(thread, value, join) {
        return result;
    }
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, TimedJoin>(TIMED_JOIN.get()) };
    // SAFETY: the caller's promise.
    joined(thread, unsafe { next(thread, value, until) })
}

/// libc's `pthread_clockjoin_np`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_clockjoin_np(
    thread: libc::pthread_t,
    value: *mut *mut c_void,
    clock: libc::clockid_t,
    until: *const libc::timespec,
) -> c_int {
    // SAFETY: null, or a time of the caller's.
    let copy = unsafe { until.as_ref() }.copied();
    // SAFETY: the caller's promise.
    let join = move |found| unsafe { pthread_clockjoin_np(thread, found, clock, at(&copy)) };
    if let Some(result) = elsewhere(thread, value, join) {
        return result;
    }
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, ClockJoin>(CLOCK_JOIN.get()) };
    // SAFETY: the caller's promise.
    joined(thread, unsafe { next(thread, value, clock, until) })
}
