//! `--spread all`: threads that std starts for whichever crate are placed over the nodes, as dstd's own.
//!
//! Nothing is added to the messages between nodes: the call that starts a thread is made on the chosen node, by a thread
//! of its pool ([`running::at`]). What comes back is libc's own identity of the thread, an address in the slot it runs on.
//! That is global memory, so it names one thread on every node, and from the address alone every node knows whose it is
//! ([`owner`]): joins and the like are made there (`join.rs`, `others.rs`).
//!
//! *Invariants*: SHIP-1 (the start routine is the program's own code, at the same address everywhere), ADDR-1 (its
//! argument is in user memory, as is all that std makes for a thread).
//!
//! *Who may touch what, when*: the argument belongs to the new thread once the call has succeeded, else to its caller,
//! as with libc.
//! *Why not safe code*: a start routine and its argument have no type.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dstd_addr::{Kind, NodeId};
use dstd_control::env::Spread;

use super::inherited::Inherited;
use super::pthread::{Start, create};
use super::wishes::Wishes;
use crate::stack::on_native;
use crate::thread::running;
use crate::{alloc, context, place};

/// The start routine of std's threads; 0 where it is not known.
static STD_START: AtomicUsize = AtomicUsize::new(0);
/// Whether the next thread is the one from which it is learnt.
static LEARNING: AtomicBool = AtomicBool::new(false);

/// Boot: `begin` starts the runtime's first thread, through std, while there is no other: its routine is std's.
///
/// Other copies of std have other routines: threads of a shared object with a std of its own stay at home. A linker that
/// folds equal code could only fold a routine that does the same. Where a compiler made several copies of the
/// routine, threads that begin in another than this one stay at home.
pub(crate) fn learn_from<R>(begin: impl FnOnce() -> R) -> R {
    // Relaxed, as all here: this is the only thread.
    LEARNING.store(true, Ordering::Relaxed);
    let begun = begin();
    LEARNING.store(false, Ordering::Relaxed);
    begun
}

/// A thread of the runtime starts.
pub(super) fn learn(start: Start) {
    if LEARNING.load(Ordering::Relaxed) && LEARNING.swap(false, Ordering::Relaxed) {
        let start = start as *const () as usize;
        let own = object(learn as *const () as usize);
        let known = own.is_some() && object(start) == own;
        STD_START.store(if known { start } else { 0 }, Ordering::Relaxed);
    }
}

/// Whether std's threads can be told from others: not where std is in a shared object, since objects that
/// one node alone has loaded may share it.
pub(crate) fn knows_std() -> bool {
    STD_START.load(Ordering::Relaxed) != 0
}

/// Where the object begins (the program, a library) that has code at `addr`.
fn object(addr: usize) -> Option<usize> {
    let mut found = core::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: libc compares the address with what it has loaded, and writes the answer.
    if unsafe { libc::dladdr(addr as *const c_void, found.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: all-zero is valid, and libc has filled it.
    let found = unsafe { found.assume_init() };
    Some(found.dli_fbase.addr())
}

/// The node on which a user thread starts.
///
/// Only std's threads are placed: a routine of a C library may use variables of that library, which each node has
/// for itself, or code that only this node has loaded. Who asks for CPUs, a scheduling policy or a stack of its
/// own means this machine.
pub(super) fn choose(start: Start, wishes: &Wishes) -> NodeId {
    let spread = context::cluster().is_some_and(|context| context.config.spread == Spread::All);
    if !spread || wishes.bound || start as *const () as usize != STD_START.load(Ordering::Relaxed) {
        return context::me();
    }
    place::for_other_spawn()
}

/// Starts a user thread on `node`, which is another.
///
/// # Network
/// 1 round trip.
///
/// # Errors
/// The error number with which that node could not start it.
///
/// # Safety
/// - The routine may run with the argument on another thread, as the caller of `pthread_create` promises.
pub(super) unsafe fn start(
    node: NodeId,
    wishes: Wishes,
    start: Start,
    argument: *mut c_void,
) -> Result<libc::pthread_t, c_int> {
    let inherited = on_native(Inherited::get);
    // What is of one machine is not asked for elsewhere.
    let made = move || on_native(|| inherited.lend(|| create(&wishes, core::ptr::null(), start, argument)));
    // SAFETY: the caller promises it of routine and argument; the rest are numbers.
    unsafe { running::at(node, made) }
}

/// The node that has the thread, when it is another.
///
/// # Errors
/// In the child of a fork, which is no node, a thread of another node does not exist: `ESRCH`. A signal handler
/// that has interrupted the runtime cannot have it call another node: `EAGAIN`.
pub(super) fn owner(thread: libc::pthread_t) -> Result<Option<NodeId>, c_int> {
    match context::layout().map(|layout| layout.kind(thread)) {
        Some(Kind::Native(node)) if node != context::me() => {
            if context::is_child() {
                Err(libc::ESRCH)
            } else if alloc::in_runtime() {
                Err(libc::EAGAIN)
            } else {
                Ok(Some(node))
            }
        }
        _ => Ok(None),
    }
}

/// Makes `call`, about `thread`, at the node that has it, when that is another: its result, and what it has found
/// unless it could not be made.
///
/// # Network
/// 1 round trip.
///
/// # Safety
/// - What the call has captured, and what it finds, may be used on every node: numbers, and addresses of what is the
///   program's. Not borrows of the caller's frame: that may lie on a native stack.
pub(super) unsafe fn elsewhere<T>(
    thread: libc::pthread_t,
    call: impl FnOnce() -> (c_int, T),
) -> Option<(c_int, Option<T>)> {
    match owner(thread) {
        Ok(None) => None,
        Ok(Some(node)) => {
            // SAFETY: the caller's promise.
            let (result, found) = unsafe { running::at(node, call) };
            Some((result, Some(found)))
        }
        Err(errno) => Some((errno, None)),
    }
}
