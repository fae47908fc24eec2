//! What enters and leaves the futex engine.
//!
//! `token` names one call of one thread; the runtime never uses a token twice.

use dstd_addr::{GlobalAddr, NodeId};

use crate::Message;

/// Everything that can happen to a futex engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// A thread of this node wants to wait at an address whose home is elsewhere.
    Wait {
        /// The call.
        token: u64,
        /// The futex word.
        addr: GlobalAddr,
        /// Which wakes reach it (FUTEX_WAIT_BITSET).
        bitset: u32,
    },
    /// That thread found, after `Armed`, that the word differs, or its time is over.
    Cancel {
        /// The call.
        token: u64,
        /// Whether the word differed: a wake that came first is then passed on to another
        /// waiter, as the kernel never spends a wake on a waiter whose value differs.
        pass_on: bool,
    },
    /// A thread of this node wakes.
    Wake {
        /// The call.
        token: u64,
        /// The futex word.
        addr: GlobalAddr,
        /// How many at most.
        count: u32,
        /// Which waiters.
        bitset: u32,
    },
    /// Answers `Output::KernelWake`.
    KernelWoke {
        /// From the output.
        ticket: u64,
        /// How many the kernel woke.
        woken: u32,
    },
    /// A message of another node: only the futex messages.
    Message {
        /// The sender.
        from: NodeId,
        /// What it says.
        message: Message,
    },
}

/// What the driver does, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send a message (never to this node, no body).
    Send {
        /// The receiver.
        to: NodeId,
        /// What to say.
        message: Message,
    },
    /// Tell the waiting thread that it is queued; it reads the word again and sleeps or cancels.
    Armed {
        /// The call.
        token: u64,
    },
    /// Tell the waiting thread that it was woken. The token is finished.
    Woken {
        /// The call.
        token: u64,
    },
    /// Tell the waiting thread that it left the queue unwoken. The token is finished.
    Cancelled {
        /// The call.
        token: u64,
    },
    /// Tell the waking thread how many were woken. The token is finished.
    WakeDone {
        /// The call.
        token: u64,
        /// How many.
        woken: u32,
    },
    /// Wake waiters of this node in the kernel and answer with `Input::KernelWoke` before
    /// anything else enters this engine.
    KernelWake {
        /// For the answer.
        ticket: u64,
        /// The futex word.
        addr: GlobalAddr,
        /// How many at most.
        count: u32,
        /// Which waiters.
        bitset: u32,
    },
}
