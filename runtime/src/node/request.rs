//! What threads of this node ask the engine for, and how that begins.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dstd_addr::{GlobalAddr, NodeId, PageNo};
use dstd_control::stats::ExitKind;
use dstd_protocol::{Message, futex, page};
use dstd_transport::{Outbox, Transport};

use super::{Engine, Shipped};
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

impl Engine {
    pub(super) fn local_requests(&mut self, out: &mut dyn Transport) -> usize {
        if self.context.queue.is_empty() {
            return 0;
        }
        let mut requests = core::mem::take(&mut self.requests);
        self.context.queue.take(&mut requests);
        let found = requests.len();
        for request in requests.drain(..) {
            self.request(out, request);
        }
        self.requests = requests;
        found
    }

    fn request(&mut self, out: &mut dyn Outbox, request: Request) {
        match request {
            Request::FutexWait { wait, token, addr, bitset } => {
                self.context.stats.futex_wait.fetch_add(1, Ordering::Relaxed);
                self.waits.insert(token, wait);
                self.futex(out, futex::Input::Wait { token, addr, bitset });
            }
            Request::FutexCancel { token, pass_on } => {
                self.futex(out, futex::Input::Cancel { token, pass_on });
            }
            Request::FutexWake { wait, token, addr, count, bitset, thread } => {
                self.context.stats.futex_wake.fetch_add(1, Ordering::Relaxed);
                self.waits.insert(token, wait);
                self.futex(out, futex::Input::Wake { token, addr, count, bitset });
                // Who is woken wants the page with the word next.
                self.page(out, page::Input::Retired { thread }, &[]);
            }
            Request::Free { home, addrs } => {
                let stats = self.context.stats;
                stats.remote_frees.fetch_add(addrs.len() as u64, Ordering::Relaxed);
                let body: Vec<u8> = addrs.iter().flat_map(|addr| addr.to_le_bytes()).collect();
                self.send(out, home, Message::Free, &body);
            }
            Request::Ship { to, op, id, arg, body, expect } => {
                if let Some((answer, shipped)) = expect {
                    self.shipped.insert(answer, shipped);
                }
                self.send(out, to, Message::Ship { op: op as u16, id, arg }, &body);
            }
            Request::Local { task, expect } => {
                if let Some((answer, shipped)) = expect {
                    self.shipped.insert(answer, shipped);
                }
                self.hand_over(task);
            }
            Request::Discard { first, count, done } => {
                let token = self.discards.begin(first, count, done);
                self.page(out, page::Input::Discard { first, count, token }, &[]);
            }
            Request::Ended { id } => self.ended(id, &[]),
            Request::Goodbye { kind, origin, code, wait } => {
                self.start_goodbye(out, kind, origin, code, wait)
            }
        }
    }
}
