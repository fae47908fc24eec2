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
use core::sync::atomic::{AtomicUsize, Ordering};

use dstd_addr::{Kind, NodeId};
use dstd_control::env::Spread;

use super::pthread::{Start, create};
use super::wishes::Wishes;
use crate::stack::on_native;
use crate::thread::running;
use crate::{context, place};

/// The start routine of std's threads; 0 before the runtime has started one of its own.
static STD_START: AtomicUsize = AtomicUsize::new(0);

/// The runtime starts a thread, which it always does through std.
pub(super) fn learn(start: Start) {
    if STD_START.load(Ordering::Relaxed) == 0 {
        // Relaxed: an address of code, which was always there.
        STD_START.store(start as *const () as usize, Ordering::Relaxed);
    }
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
    // SAFETY: the caller promises it of routine and argument; the rest are numbers.
    unsafe { running::at(node, move || on_native(|| create(&wishes, start, argument))) }
}

/// The node that has the thread, when it is another.
pub(super) fn owner(thread: libc::pthread_t) -> Option<NodeId> {
    let context = context::cluster()?;
    match context.layout.kind(thread) {
        Kind::Native(node) if node != context.me => Some(node),
        _ => None,
    }
}

/// Makes `call`, about `thread`, at the node that has it, when that is another.
///
/// # Network
/// 1 round trip.
///
/// # Safety
/// - What the call has captured, and what it returns, may be used on every node: numbers and addresses of user memory (ADDR-1).
pub(super) unsafe fn elsewhere<R>(thread: libc::pthread_t, call: impl FnOnce() -> R) -> Option<R> {
    let node = owner(thread)?;
    // SAFETY: the caller's promise.
    Some(unsafe { running::at(node, call) })
}
