//! `call`: a closure on a pool thread of another node; and other user code that nobody waits for.
//!
//! The pool grows by a thread whenever a call finds nobody idle, so a call that waits for
//! another call always progresses; a thread that was idle for long ends.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use dstd_addr::NodeId;

use super::remote::send;
use super::spawner::{Arrived, drop_result, restore_signals};
use super::{Job, Op};
use crate::alloc;
use crate::interpose;
use crate::node::{ShipState, Shipped};
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

/// User code for a pool thread.
#[derive(Debug)]
pub(super) enum Work {
    /// A call of another node.
    Call(Arrived),
    /// The result of a detached thread has come.
    Drop(Arc<Shipped>),
    /// Another node has called `exit`.
    Exit { origin: NodeId, code: i32 },
}

struct Pool {
    calls: VecDeque<Work>,
    idle: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { calls: VecDeque::new(), idle: 0 });
static CALLED: Condvar = Condvar::new();

/// Spawner thread: has a pool thread do `work`.
pub(super) fn give(work: Work) {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    pool.calls.push_back(work);
    if pool.idle >= pool.calls.len() {
        CALLED.notify_one();
        return;
    }
    drop(pool);
    let _user = alloc::leave();
    if let Err(error) = std::thread::Builder::new().name("dstd-call".to_owned()).spawn(worker) {
        crate::fatal::stop!(crate::fatal::INTERNAL, "cannot start a pool thread: {error}");
    }
}

fn worker() {
    restore_signals();
    while let Some(work) = on_native(next) {
        match work {
            Work::Call(call) => {
                let answer = call.run();
                on_native(|| answer.send());
            }
            Work::Drop(shipped) => {
                if let Some(result) = shipped.result.get()
                    && shipped.take_result()
                {
                    drop_result(&shipped, result);
                }
                on_native(|| drop(shipped));
            }
            Work::Exit { origin, code } => interpose::exit_for(origin, code),
        }
    }
}

fn next() -> Option<Work> {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(work) = pool.calls.pop_front() {
            return Some(work);
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
