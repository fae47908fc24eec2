//! What a simulated thread can do.
//!
//! A program is an `async fn` over a [`Cpu`]; each operation is given to the world and the
//! program goes on when it has retired.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use dstd_addr::{GlobalAddr, Layout, NodeId, PageNo};
use dstd_protocol::futex::Input;

use crate::rng::Rng;

/// A change of one word, done in one instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Set(u64),
    Add(u64),
    CompareSet { old: u64, new: u64 },
}

impl Change {
    /// The word after the change.
    pub(crate) fn apply(self, before: u64) -> u64 {
        match self {
            Change::Set(value) => value,
            Change::Add(value) => before.wrapping_add(value),
            Change::CompareSet { old, new } => {
                if before == old {
                    new
                } else {
                    before
                }
            }
        }
    }
}

/// What a thread asks of the world. Every operation has a number as its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// Reads a word.
    Load { addr: GlobalAddr },
    /// Changes a word; the answer is the word before.
    Write { addr: GlobalAddr, change: Change },
    /// Copies a word to another page in one instruction, which needs both pages at once.
    Copy { from: GlobalAddr, to: GlobalAddr },
    /// Does something else for a while.
    Pause { ns: u64 },
    /// FUTEX_WAIT in the kernel; the answer is a [`Waited`].
    KernelWait { addr: GlobalAddr, expected: u64, timeout_ns: Option<u64> },
    /// FUTEX_WAKE in the kernel; the answer says how many.
    KernelWake { addr: GlobalAddr, count: u32, bitset: u32 },
    /// Reads the number of remote waiters that the engine has published.
    RemoteWaiters,
    /// Hands a call to this node's engine.
    Call { input: Input },
    /// Hands a discard of own pages to this node's engine.
    Discard { first: PageNo, count: u32, token: u64 },
    /// Waits for the next [`Signal`]; the answer is 0 for one, 1 when the time is over.
    Listen { timeout_ns: Option<u64> },
}

/// What the engine tells a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    Armed,
    Woken,
    Cancelled,
    WakeDone(u32),
    Discarded,
}

/// How a futex wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waited {
    Woken,
    Differs,
    TimedOut,
}

impl Waited {
    pub(crate) fn from_answer(answer: u64) -> Waited {
        [Waited::Woken, Waited::Differs, Waited::TimedOut][answer as usize]
    }
}

/// Where a program and the world meet.
#[derive(Default, Debug)]
pub(crate) struct Slot {
    pub(crate) op: Option<Op>,
    pub(crate) answer: Option<u64>,
    pub(crate) signals: VecDeque<(u64, Signal)>,
    pub(crate) complaint: Option<String>,
}

/// How the driver's futex calls behave in this run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// Compare before asking the home.
    pub(crate) early_exit: bool,
    /// Pass on a wake that came although the word differs. A correct driver does.
    pub(crate) passes_on: bool,
}

/// One thread's handle.
#[derive(Clone)]
pub(crate) struct Cpu {
    pub(crate) node: NodeId,
    pub(crate) layout: Rc<Layout>,
    pub(crate) slot: Rc<RefCell<Slot>>,
    pub(crate) rng: Rc<RefCell<Rng>>,
    pub(crate) tokens: Rc<RefCell<u64>>,
    pub(crate) habits: Habits,
}

struct Issue<'a> {
    slot: &'a RefCell<Slot>,
    op: Option<Op>,
}

impl Future for Issue<'_> {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u64> {
        let mut slot = self.slot.borrow_mut();
        if let Some(op) = self.op.take() {
            slot.op = Some(op);
            return Poll::Pending;
        }
        slot.answer.take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Cpu {
    pub(crate) fn issue(&self, op: Op) -> impl Future<Output = u64> {
        Issue { slot: &self.slot, op: Some(op) }
    }

    pub(crate) async fn load(&self, addr: GlobalAddr) -> u64 {
        self.issue(Op::Load { addr }).await
    }

    pub(crate) async fn store(&self, addr: GlobalAddr, value: u64) {
        self.swap(addr, value).await;
    }

    pub(crate) async fn swap(&self, addr: GlobalAddr, value: u64) -> u64 {
        self.issue(Op::Write { addr, change: Change::Set(value) }).await
    }

    /// The word before.
    pub(crate) async fn add(&self, addr: GlobalAddr, value: u64) -> u64 {
        self.issue(Op::Write { addr, change: Change::Add(value) }).await
    }

    /// As `compare_exchange`: the word before, as an error when it is not `old`.
    pub(crate) async fn cas(&self, addr: GlobalAddr, old: u64, new: u64) -> Result<u64, u64> {
        let before = self.issue(Op::Write { addr, change: Change::CompareSet { old, new } }).await;
        if before == old { Ok(before) } else { Err(before) }
    }

    pub(crate) async fn copy(&self, from: GlobalAddr, to: GlobalAddr) {
        self.issue(Op::Copy { from, to }).await;
    }

    /// Gives own pages back; returns when they are fresh.
    pub(crate) async fn discard(&self, first: PageNo, count: u32) {
        let token = self.token();
        self.issue(Op::Discard { first, count, token }).await;
        self.listen(token, None).await;
    }

    pub(crate) async fn pause(&self, ns: u64) {
        self.issue(Op::Pause { ns }).await;
    }

    /// Pauses for up to `limit_ns`, often not at all.
    pub(crate) async fn dawdle(&self, limit_ns: u64) {
        if self.random(2) == 0 {
            let ns = self.random(limit_ns);
            self.pause(ns).await;
        }
    }

    pub(crate) fn random(&self, limit: u64) -> u64 {
        self.rng.borrow_mut().below(limit)
    }

    pub(crate) fn token(&self) -> u64 {
        let mut tokens = self.tokens.borrow_mut();
        *tokens += 1;
        *tokens
    }

    /// Ends the run unless `holds`.
    pub(crate) fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.slot.borrow_mut().complaint.get_or_insert_with(what);
        }
    }

    /// The next signal for `token`, or none when the time is over.
    pub(crate) async fn listen(&self, token: u64, timeout_ns: Option<u64>) -> Option<Signal> {
        if self.issue(Op::Listen { timeout_ns }).await != 0 {
            return None;
        }
        let (named, signal) = self.slot.borrow_mut().signals.pop_front()?;
        self.check(named == token, || format!("{signal:?} is for token {named}, the thread has {token}"));
        Some(signal)
    }
}
