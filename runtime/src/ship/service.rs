//! Service threads: they make the calls of other nodes on descriptors of this one.
//!
//! *Invariants*: ISO-2. *Who may touch what, when*: a service thread belongs to the runtime: it has a native stack only, runs no
//! code of the program, takes no signal, and holds nothing while it is in a call. So a call may block for as
//! long as it likes, on pages of its buffers as well, which the engine serves.
//!
//! The pool grows by a thread whenever a call comes and nobody is idle, so calls that wait for each other
//! (a read and the write it waits for) always progress. The engine hands a call over without a lock: it takes one of the
//! idle threads by its number only, and any of them then takes the call from the channel.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use super::Op;
use super::spawner::answer;
use crate::fatal::{self, stop};
use crate::interpose::fd::{ServedCall, serve};
use crate::{alloc, boot};

/// How long a service thread waits for the next call before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// Threads that wait for a call, less the calls that wait for them.
static FREE: AtomicUsize = AtomicUsize::new(0);

struct Calls {
    give: Sender<ServedCall>,
    /// Whoever holds it is the one that is woken; the others wait for it.
    take: Mutex<Receiver<ServedCall>>,
}

static CALLS: LazyLock<Calls> = LazyLock::new(|| {
    let (give, take) = channel();
    Calls { give, take: Mutex::new(take) }
});

/// Engine: hands a call over. When this returns false no thread is free for it: have the spawner thread call [`grow`].
#[must_use]
pub(crate) fn give(call: ServedCall) -> bool {
    let taken = take_one();
    if CALLS.give.send(call).is_err() {
        stop!(fatal::INTERNAL, "the calls of other nodes have no receiver");
    }
    taken
}

/// Spawner thread: starts a service thread.
pub(super) fn grow() {
    let builder = std::thread::Builder::new().name("dstd-service".to_owned());
    let builder = builder.stack_size(boot::runtime_stack_bytes());
    if let Err(error) = builder.spawn(work) {
        stop!(fatal::CANNOT, "cannot start a thread for the calls of other nodes: {error}");
    }
}

/// Takes one of the free threads, if there is one.
fn take_one() -> bool {
    // Relaxed: a number; the channel orders what is handed over.
    FREE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(1)).is_ok()
}

fn work() {
    let _runtime = alloc::enter();
    let guard = fatal::StopOnUnwind;
    // The first call is there already: it is why this thread was made.
    while let Some(call) = next() {
        let body = serve(&call);
        answer(call.from, Op::Ended, call.id, body);
        FREE.fetch_add(1, Ordering::Relaxed);
    }
    core::mem::forget(guard);
}

/// The next call; `None` when none came for long.
fn next() -> Option<ServedCall> {
    let take = CALLS.take.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Ok(call) = take.recv_timeout(IDLE) {
            return Some(call);
        }
        // Unless the engine counts on this thread.
        if take_one() {
            return None;
        }
    }
}
