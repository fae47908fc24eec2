//! What a futex engine refuses.

use core::fmt;

use dstd_addr::{GlobalAddr, NodeId};

use crate::MessageKind;

/// A message or call that no correct node sends. The engine that reports it is unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "the fields are named in the messages")]
pub enum Violation {
    /// A message that is not about futexes.
    NotFutex { from: NodeId, kind: MessageKind },
    /// The sender is this node, or no node of the program.
    BadSender { from: NodeId, kind: MessageKind },
    /// The address has no home.
    NotGlobal { addr: GlobalAddr },
    /// The address has its home elsewhere.
    NotHome { from: NodeId, addr: GlobalAddr, home: NodeId },
    /// A wait of this node's own address: such waiters sleep in the kernel.
    WaitAtHome { addr: GlobalAddr },
    /// A token that is in use already.
    TokenReused { from: NodeId, token: u64 },
    /// An answer to a call that this node did not make.
    UnknownToken { from: NodeId, kind: MessageKind, token: u64 },
    /// An answer by a node that was not asked.
    NotAsked { from: NodeId, kind: MessageKind, token: u64 },
    /// An answer that does not fit what was asked before.
    OutOfOrder { from: NodeId, kind: MessageKind, token: u64 },
    /// A second cancel of one call.
    CancelledTwice { token: u64 },
    /// More waiters woken than were asked for.
    WokeTooMany { asked: u32, woken: u32 },
    /// Something entered the engine before the answer to `KernelWake`.
    KernelAnswerMissing { ticket: u64 },
    /// An answer to a `KernelWake` that is not open.
    UnknownTicket { ticket: u64 },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Violation::NotFutex { from, kind } => {
                write!(f, "node {from} sent {} to the futex engine", kind.name())
            }
            Violation::BadSender { from, kind } => {
                write!(f, "{} came from node {from}, which is no peer", kind.name())
            }
            Violation::NotGlobal { addr } => write!(f, "futex {addr:?} lies in no partition"),
            Violation::NotHome { from, addr, home } => {
                write!(f, "node {from} asked this node about futex {addr:?}, whose home is node {home}")
            }
            Violation::WaitAtHome { addr } => {
                write!(f, "futex {addr:?} is at home here: wait for it in the kernel")
            }
            Violation::TokenReused { from, token } => {
                write!(f, "node {from} used futex token {token} a second time")
            }
            Violation::UnknownToken { from, kind, token } => {
                write!(f, "node {from} sent {} for token {token}, which is not in use", kind.name())
            }
            Violation::NotAsked { from, kind, token } => {
                write!(f, "node {from} sent {} for token {token}, but another node was asked", kind.name())
            }
            Violation::OutOfOrder { from, kind, token } => {
                write!(f, "node {from} sent {} for token {token} out of order", kind.name())
            }
            Violation::CancelledTwice { token } => write!(f, "futex token {token} was cancelled twice"),
            Violation::WokeTooMany { asked, woken } => {
                write!(f, "{woken} futex waiters were woken, {asked} were asked for")
            }
            Violation::KernelAnswerMissing { ticket } => {
                write!(f, "kernel wake {ticket} must be answered before anything else")
            }
            Violation::UnknownTicket { ticket } => write!(f, "no kernel wake {ticket} is open"),
        }
    }
}

impl std::error::Error for Violation {}
