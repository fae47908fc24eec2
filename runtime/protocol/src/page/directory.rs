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
    /// Only to be free of others and at home: the page before it was asked for with this one.
    pub(super) ahead: bool,
    /// Not a request but the discard of this token, by the home itself.
    pub(super) discard: Option<u64>,
}

impl Request {
    /// A request for pages.
    pub(super) fn new(from: NodeId, access: Access, count: u16) -> Request {
        Request { from, access, count, ahead: false, discard: None }
    }

    /// The part of discard `token` that is about one page of `home`.
    pub(super) fn discard(home: NodeId, token: u64) -> Request {
        Request { discard: Some(token), ..Request::new(home, Access::Write, 1) }
    }

    /// The part of this request that is about a page behind its first.
    pub(super) fn ahead(self) -> Request {
        Request { count: 1, ahead: true, ..self }
    }
}

/// What a busy page waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Phase {
    /// The `PageReturn` of its owner.
    Return(NodeId),
    /// Its owner passes it to who asked; neither has said so yet.
    Pass(NodeId),
    /// Who asked to read has installed it; the bytes of its owner are still to come. `held` says
    /// whether the asker has not given its copy up meanwhile.
    Passed {
        /// The owner.
        owner: NodeId,
        /// Whether the asker still has its copy.
        held: bool,
    },
    /// The `PageInstalled` of who asked to read; the home has the bytes.
    Installed,
    /// The `PageInvalidated` of these nodes.
    Acks(NodeSet),
    /// The minimum residence of the home's own copy.
    Residence,
    /// The `PageDiscarded` of these nodes.
    Discard(NodeSet),
}

/// A page whose request is being served.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Busy {
    pub(super) request: Request,
    pub(super) phase: Phase,
    /// Requests that came later, oldest first; at most one a node, apart from discards and pages ahead.
    pub(super) waiting: VecDeque<Request>,
}

impl Busy {
    /// The first request of a page.
    pub(super) fn new(request: Request, phase: Phase) -> Busy {
        Busy { request, phase, waiting: VecDeque::new() }
    }

    /// Whether `node` is served or waits here.
    pub(super) fn names(&self, node: NodeId) -> bool {
        let names = |request: &Request| request.from == node && request.discard.is_none() && !request.ahead;
        let served = matches!(self.phase, Phase::Passed { .. });
        names(&self.request) && !served || self.waiting.iter().any(names)
    }
}
