//! What threads of this node ask the engine for.

use std::sync::Arc;

use dstd_addr::{GlobalAddr, NodeId, PageNo};
use dstd_control::stats::ExitKind;

use super::Shipped;
use crate::ship::{Op, Task};
use crate::wait::Wait;

/// One request.
#[derive(Debug)]
pub(crate) enum Request {
    /// Queue a waiter; answered in `wait` with a [`FutexState`].
    FutexWait { wait: &'static Wait, token: u64, addr: GlobalAddr, bitset: u32 },
    /// Take that waiter out again; answered in the same word.
    FutexCancel { token: u64, pass_on: bool },
    /// Wake waiters; answered with [`FutexState::WAKE_DONE`] and the number. The `thread` that asks
    /// has executed all that it faulted on.
    FutexWake { wait: &'static Wait, token: u64, addr: GlobalAddr, count: u32, bitset: u32, thread: u32 },
    /// Blocks of another node's heap that were freed here.
    Free { home: NodeId, addrs: Vec<u64> },
    /// Say something about shipped work; `expect` is told what comes back under its id.
    Ship { to: NodeId, op: Op, id: u64, arg: u64, body: Vec<u8>, expect: Option<(u64, Arc<Shipped>)> },
    /// Have the spawner thread of this node do something; `expect` is told its end.
    Local { task: Task, expect: Option<(u64, Arc<Shipped>)> },
    /// Give these own pages back to the system: freed memory that its heap leaves alone until
    /// `done` is called, once, on the engine thread. From then on they read as zeros. `done` must
    /// not block, touch user memory or take a lock that a user thread can hold.
    Discard { first: PageNo, count: u32, done: fn(first: PageNo, count: u32) },
    /// It is done.
    Ended { id: u64 },
    /// The program ends: tell everybody, then set `wait` to 1.
    Goodbye { kind: ExitKind, origin: NodeId, code: i32, wait: &'static Wait },
}

/// States of a thread's `Wait` during a futex call.
#[derive(Debug)]
pub(crate) struct FutexState;

impl FutexState {
    /// The waiter is queued: look at the word again.
    pub(crate) const ARMED: u32 = 1;
    /// The waiter was woken.
    pub(crate) const WOKEN: u32 = 2;
    /// The waiter left the queue unwoken.
    pub(crate) const CANCELLED: u32 = 3;
    /// The wake is done; the value says how many.
    pub(crate) const WAKE_DONE: u32 = 4;
}
