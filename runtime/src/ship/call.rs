//! `call`: a closure on a pool thread of another node; and other user code that nobody waits for.
//!
//! The pool grows by a thread whenever a call finds nobody idle, so a call that waits for
//! another call always progresses; a thread that was idle for long ends.
//!
//! The engine hands work to idle pool threads itself (`idle.rs`); it leaves to the spawner thread only what needs a
//! new thread.

use std::sync::{Arc, LazyLock};

use dstd_addr::NodeId;

use super::idle::Idle;
use super::remote::send;
use super::spawner::{Arrived, drop_result, restore_signals};
use super::{Job, Op};
use crate::alloc;
use crate::interpose;
use crate::node::{ShipState, Shipped};
use crate::place;
use crate::raw;
use crate::stack::on_native;
use crate::wait::Wait;

/// How long a pool thread waits for the next call before it ends.
const IDLE_NS: u64 = 10_000_000_000;

/// Pool threads that have nothing to do.
static POOL: LazyLock<Idle<Work>> = LazyLock::new(Idle::new);

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
pub(crate) enum Work {
    /// A call of another node.
    Call(Arrived),
    /// The result of a detached thread has come.
    Drop(Arc<Shipped>),
    /// Another node has called `exit`.
    Exit { origin: NodeId, code: i32 },
}

/// Boot: what the engine must not wait for is made before there is an engine.
pub(super) fn prepare() {
    LazyLock::force(&POOL);
}

/// Hands `work` to an idle pool thread, or gives it back when there is none. For the engine, too.
pub(crate) fn hand_over(work: Work) -> Result<(), Work> {
    POOL.hand_over(work)
}

/// Spawner thread: has a pool thread do `work`, a new one if none is idle.
pub(super) fn give(work: Work) {
    let Err(work) = hand_over(work) else { return };
    let _user = alloc::leave();
    let thread = std::thread::Builder::new().name("dstd-call".to_owned());
    let _directed = place::staying();
    if let Err(error) = thread.spawn(move || pool_thread(work)) {
        crate::fatal::stop!(crate::fatal::INTERNAL, "cannot start a pool thread: {error}");
    }
}

fn pool_thread(first: Work) {
    restore_signals();
    let mut next_work = Some(first);
    // A thread that gets no place does not wait.
    let place = POOL.enter();
    while let Some(work) = next_work.take() {
        work.perform();
        next_work = place.as_ref().and_then(|place| {
            on_native(|| {
                POOL.next(place, |wait| {
                    wait.wait_while(Wait::PENDING, Some(raw::now_ns() + IDLE_NS));
                })
            })
        });
    }
    if let Some(place) = place {
        POOL.leave(place);
    }
}

impl Work {
    fn perform(self) {
        match self {
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
