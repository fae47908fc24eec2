//! What the home of a page knows and does about it.

use std::collections::VecDeque;

use dstd_addr::{NodeId, NodeSet};

use super::table::Access;

/// Who holds a page, as its home knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Directory {
    /// One node holds it and may write.
    Exclusive(NodeId),
    /// These nodes, the home always among them, hold read-only copies of the same bytes.
    Shared(NodeSet),
}

/// Somebody wants a page and perhaps those that follow it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Request {
    pub(super) from: NodeId,
    pub(super) access: Access,
    pub(super) count: u16,
}

/// What a busy page waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Phase {
    /// The `PageReturn` of its owner.
    Return(NodeId),
    /// The `PageInvalidated` of these nodes.
    Acks(NodeSet),
    /// The minimum residence of the home's own copy.
    Residence,
}

/// A page whose request is being served.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Busy {
    pub(super) request: Request,
    pub(super) phase: Phase,
    /// Requests that came later, oldest first; at most one a node.
    pub(super) waiting: VecDeque<Request>,
}

impl Busy {
    /// Whether `node` is served or waits here.
    pub(super) fn names(&self, node: NodeId) -> bool {
        self.request.from == node || self.waiting.iter().any(|request| request.from == node)
    }
}
