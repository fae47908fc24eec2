//! `call`: a closure on a pool thread of another node.
//!
//! The pool grows by a thread whenever a call finds nobody idle, so a call that waits for
//! another call always progresses; a thread that was idle for long ends.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use dstd_addr::NodeId;

use super::remote::send;
use super::spawner::{Arrived, restore_signals};
use super::{Job, Op};
use crate::alloc;
use crate::node::ShipState;
use crate::record::Wait;
use crate::stack::on_native;

/// How long a pool thread waits for the next call before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// Runs `job` on a pool thread of `node`, which is not this one, and waits for its result.
///
/// # Network
/// 1 round trip.
///
/// # Safety
/// - `closure` points to a closure of the type that `job` was made for; it is moved out.
/// - `result` is valid for writes of its result type.
pub(crate) unsafe fn call(node: NodeId, job: Job, closure: *const u8, result: *mut u8) {
    on_native(|| {
        // SAFETY: the caller says that `closure` is valid for its layout.
        let (_, shipped) = unsafe { send(node, Op::Call, &job, closure) };
        while shipped.wait.state() != ShipState::ENDED {
            shipped.wait.wait_while(Wait::PENDING, None);
        }
        let bytes = shipped.result.get().expect("the state ENDED is set after the result");
        // SAFETY: the target sent as many bytes as the result's layout has; the caller vouches for
        // the destination. User memory is written here without any lock held (ISO-2).
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), result, bytes.len()) };
    });
}

struct Pool {
    calls: VecDeque<Arrived>,
    idle: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { calls: VecDeque::new(), idle: 0 });
static CALLED: Condvar = Condvar::new();

/// Spawner thread: a call has arrived.
pub(super) fn arrived(call: Arrived) {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    pool.calls.push_back(call);
    if pool.idle >= pool.calls.len() {
        CALLED.notify_one();
        return;
    }
    drop(pool);
    let _user = alloc::leave();
    if let Err(error) = std::thread::Builder::new().name("dstd-call".to_owned()).spawn(worker) {
        crate::fatal::stop!(crate::fatal::INTERNAL, "cannot start a thread for a call: {error}");
    }
}

fn worker() {
    restore_signals();
    while let Some(call) = on_native(next) {
        let answer = call.run();
        on_native(|| answer.send());
    }
}

fn next() -> Option<Arrived> {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(call) = pool.calls.pop_front() {
            return Some(call);
        }
        pool.idle += 1;
        let (back, timeout) = CALLED.wait_timeout(pool, IDLE).unwrap_or_else(PoisonError::into_inner);
        pool = back;
        pool.idle -= 1;
        if timeout.timed_out() && pool.calls.is_empty() {
            return None;
        }
    }
}
