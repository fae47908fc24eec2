//! What another node must not say.

use core::fmt;

use dstd_addr::{NodeId, PageNo};

use crate::MessageKind;

/// A message that no node of a sound program sends. The state of the engine can no longer be
/// trusted to agree with the other node's: the driver stops the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Violation {
    /// The sender is this node or not a node of the program.
    UnknownSender {
        /// The sender.
        from: NodeId,
    },
    /// Not a message of the page protocol.
    NotForPages {
        /// The sender.
        from: NodeId,
        /// What it sent.
        kind: MessageKind,
    },
    /// The page is not global.
    UnknownPage {
        /// The sender, or this node for a fault.
        from: NodeId,
        /// The page.
        page: PageNo,
    },
    /// The message belongs to the home of the page, or must come from it.
    WrongHome {
        /// The sender.
        from: NodeId,
        /// The page.
        page: PageNo,
        /// What it sent.
        kind: MessageKind,
    },
    /// No pages, too many, or pages that do not lie together.
    BadCount {
        /// The sender.
        from: NodeId,
        /// The first page.
        first: PageNo,
        /// How many.
        count: u16,
    },
    /// A grant or an answer that this node did not ask for.
    Unasked {
        /// The sender.
        from: NodeId,
        /// The page.
        page: PageNo,
        /// What it sent.
        kind: MessageKind,
    },
    /// A request for a page that the sender already has or already waits for.
    Repeated {
        /// The sender.
        from: NodeId,
        /// The page.
        page: PageNo,
    },
    /// Pages are to be passed to a node that cannot have asked for them.
    Astray {
        /// The sender.
        from: NodeId,
        /// The first page.
        page: PageNo,
        /// To whom.
        to: NodeId,
    },
    /// A revocation of a right that this node does not have.
    NotHeld {
        /// The sender.
        from: NodeId,
        /// The page.
        page: PageNo,
        /// What it sent.
        kind: MessageKind,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::UnknownSender { from } => {
                write!(f, "page protocol: message from node {from}, which is no other node of this program")
            }
            Violation::NotForPages { from, kind } => {
                write!(f, "page protocol: node {from} sent a {} message to the page engine", kind.name())
            }
            Violation::UnknownPage { from, page } => {
                write!(f, "page protocol: node {from} named {page:?}, which is not shared memory")
            }
            Violation::WrongHome { from, page, kind } => {
                write!(f, "page protocol: {} from node {from} for {page:?} missed its home", kind.name())
            }
            Violation::BadCount { from, first, count } => {
                write!(f, "page protocol: node {from} named {count} pages from {first:?}, out of bounds")
            }
            Violation::Unasked { from, page, kind } => {
                write!(f, "page protocol: unasked {} from node {from} for {page:?}", kind.name())
            }
            Violation::Repeated { from, page } => {
                write!(f, "page protocol: node {from} asked for {page:?}, which it has or waits for")
            }
            Violation::Astray { from, page, to } => {
                write!(f, "page protocol: node {from} wants {page:?} passed to node {to}")
            }
            Violation::NotHeld { from, page, kind } => {
                write!(
                    f,
                    "page protocol: {} from node {from} for {page:?}, which is not held so",
                    kind.name()
                )
            }
        }
    }
}

impl core::error::Error for Violation {}
