//! Pages that others hold are taken back several at a time, for whoever walks along them.
//!
//! A request names a window of pages. When the home needs others for the first, it asks them in
//! the same messages for those behind it that are held in the same way. Such a page is busy
//! with a request *ahead*: it comes home, free of others, and is not granted by itself. So when
//! the answers come together, the grant of the first page takes the rest along; when they do
//! not, the rest is at home by the time it is asked for again.
//!
//! | window of n pages, one other holder | messages one by one | messages here |
//! |---|---|---|
//! | home touches pages exclusive at k | n `PageFetch`, n `PageReturn` | 1, 1 |
//! | home writes pages shared with k | n `PageInvalidate`, n `PageInvalidated` | 1, 1 |
//! | r touches pages exclusive at k | n each of request, fetch, return, grant | 1 each |
//! | r writes pages shared with k | n each of request, invalidate, answer, grant | 1 each |
//!
//! The round trips shrink alike: one for the home's own walk, two for r's. The bytes of pages
//! stay the same, the headers are 32 bytes a message.

use std::collections::BTreeMap;

use dstd_addr::{Kind, NodeId, NodeSet, PageNo};

use super::directory::{Busy, Directory, Phase, Request};
use super::engine::PageEngine;
use super::io::{Body, Output};
use super::runs::{Run, gather, gather_few};
use super::stream::Stretch;
use super::table::{Access, Local};
use super::violation::Violation;
use crate::{Message, MessageKind};

impl PageEngine {
    /// Brings those of these own pages home that are of this `kind` and held by others, for a
    /// thread that walks towards them.
    pub(super) fn bring_home(
        &mut self,
        now_ns: u64,
        kind: Kind,
        pages: Stretch,
        access: Access,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let mut runs: Vec<Run<()>> = Vec::new();
        for page in pages.in_order().filter(|&page| self.kind(page) == kind) {
            gather_few(&mut runs, page, (), self.config.window_max);
        }
        for Run { first, count, .. } in runs {
            for offset in 0..count {
                let page = first.plus(u64::from(offset));
                // What an earlier round took back with the page before it is busy now.
                if self.busy.contains_key(&page) || access.allowed_by(self.own(page).local) {
                    continue;
                }
                let request = Request::new(self.config.me, access, 1).ahead();
                self.enqueue(now_ns, page, Request { count: count - offset, ..request }, out)?;
            }
        }
        Ok(())
    }

    /// Who has to give `page` up, and how, before `request` can be granted.
    ///
    /// # Errors
    /// The sender has what it asks for.
    pub(super) fn in_the_way(&self, page: PageNo, request: Request) -> Result<Option<Phase>, Violation> {
        let (me, from) = (self.config.me, request.from);
        let repeated = Err(Violation::Repeated { from, page });
        match (self.own(page).directory, request.access) {
            (Directory::Exclusive(owner), _) if owner == me => Ok(None),
            (Directory::Exclusive(owner), _) if owner == from => repeated,
            (Directory::Exclusive(owner), _) => Ok(Some(Phase::Return(owner))),
            (Directory::Shared(sharers), Access::Read) if from != me && sharers.contains(from) => repeated,
            (Directory::Shared(_), Access::Read) => Ok(None),
            (Directory::Shared(sharers), Access::Write) => {
                let others = sharers.without(from).without(me);
                Ok((!others.is_empty()).then_some(Phase::Acks(others)))
            }
        }
    }

    /// Takes `first` back from those in `phase`, and with it the pages behind it that `request`
    /// names as far as they are held in the same way.
    pub(super) fn take_back(
        &mut self,
        first: PageNo,
        request: Request,
        phase: &Phase,
        out: &mut Vec<Output>,
    ) {
        let mut away: BTreeMap<NodeId, Vec<Run<bool>>> = BTreeMap::new();
        let mut add = |page, phase: &Phase| {
            for holder in asked(phase).iter() {
                gather(away.entry(holder).or_default(), page, matches!(phase, Phase::Pass(_)));
            }
        };
        add(first, phase);
        // Only what goes with the first page is passed; the rest comes home.
        let mut with_first = true;
        let kind = self.kind(first);
        for page in (1..u64::from(request.count)).map(|offset| first.plus(offset)) {
            if self.busy.contains_key(&page) || self.kind(page) != kind {
                break;
            }
            match self.in_the_way(page, request) {
                Ok(Some(behind)) if is_taken(&behind) == is_taken(phase) => {
                    let way = self.way(page, request, behind);
                    with_first &= way == *phase;
                    let behind = if with_first { way } else { behind };
                    add(page, &behind);
                    self.counters.taken_ahead += 1;
                    self.busy.insert(page, Busy::new(request.ahead(), behind));
                }
                _ => break,
            }
        }
        let exclusive = request.access.writes();
        for (to, runs) in away {
            for Run { first, count, key: passed } in runs {
                let message = if passed {
                    self.counters.passes += 1;
                    Message::PagePass { first, count, exclusive, to: request.from }
                } else if is_taken(phase) {
                    self.counters.fetches += 1;
                    Message::PageFetch { first, count, exclusive }
                } else {
                    self.counters.invalidations += 1;
                    Message::PageInvalidate { first, count }
                };
                out.push(Output::Send { to, message, body: Body::None });
            }
        }
    }

    /// At the home: the bytes of these pages have come back.
    pub(super) fn on_return(
        &mut self,
        now_ns: u64,
        from: NodeId,
        first: PageNo,
        count: u16,
        exclusive: bool,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let kind = MessageKind::PageReturn;
        self.check_own_run(from, first, count, kind)?;
        let mut served: Vec<(PageNo, Busy)> = Vec::new();
        for page in (0..u64::from(count)).map(|offset| first.plus(offset)) {
            // An answer is a part of what one `PageFetch` named: a page asked for, and pages ahead
            // for the same node.
            let with = served.first().map(|(_, busy)| busy.request.from);
            let fits = self.busy.get(&page).is_some_and(|busy| {
                (busy.phase == Phase::Return(from) || busy.phase == Phase::Pass(from) && busy.request.ahead)
                    && busy.request.access.writes() == exclusive
                    && with.is_none_or(|with| busy.request.ahead && busy.request.from == with)
            });
            let Some(busy) = self.busy.remove(&page).filter(|_| fits) else {
                return Err(Violation::Unasked { from, page, kind });
            };
            served.push((page, busy));
        }
        if let Some((_, busy)) = served.first() {
            self.hand_on(now_ns, from, first, count, busy.request, out);
        }
        self.serve_behind(now_ns, served, out)
    }

    /// The bytes of pages have come back from `owner`: installs or passes them on, now.
    /// `request` is that of the first.
    fn hand_on(
        &mut self,
        now_ns: u64,
        owner: NodeId,
        first: PageNo,
        count: u16,
        request: Request,
        out: &mut Vec<Output>,
    ) {
        let (me, writable) = (self.config.me, request.access.writes());
        // Pages ahead whose first page is not among them stay here.
        let to = if request.ahead { me } else { request.from };
        for page in (0..u64::from(count)).map(|offset| first.plus(offset)) {
            self.pushes_out(page, to);
            let entry = self.own_mut(page);
            if writable {
                entry.directory = Directory::Exclusive(to);
            } else {
                entry.directory = Directory::Shared(NodeSet::of(me).with(owner).with(to));
            }
            if to == me || !writable {
                entry.local = if writable { Local::Writable } else { Local::ReadOnly };
            }
        }
        if request.from == me {
            self.counters.pages_ahead += u64::from(count) - u64::from(!request.ahead);
            if !request.ahead {
                self.retire(now_ns, first);
            }
        }
        if to == me || !writable {
            out.push(Output::Install { first, count, writable, skip: 0 });
        }
        if to != me {
            let message = Message::PageGrant { first, count, writable, upgrade: false };
            out.push(Output::Send { to, message, body: Body::Received });
        }
    }

    /// At the home: `from` has dropped its copies of these pages.
    pub(super) fn on_invalidated(
        &mut self,
        now_ns: u64,
        from: NodeId,
        first: PageNo,
        count: u16,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let kind = MessageKind::PageInvalidated;
        self.check_own_run(from, first, count, kind)?;
        let mut free = Vec::new();
        for page in (0..u64::from(count)).map(|offset| first.plus(offset)) {
            let unasked = Violation::Unasked { from, page, kind };
            let Some(Busy { phase: Phase::Acks(left), request, .. }) = self.busy.get_mut(&page) else {
                return Err(unasked);
            };
            if !left.contains(from) {
                return Err(unasked);
            }
            *left = left.without(from);
            if left.is_empty() {
                free.push((page, request.ahead));
            }
            if let Directory::Shared(sharers) = &mut self.own_mut(page).directory {
                *sharers = sharers.without(from);
            }
        }
        // Pages ahead first, so that the grant of the page before them takes them along.
        for ahead in [true, false] {
            for &(page, _) in free.iter().filter(|&&(_, is_ahead)| is_ahead == ahead) {
                self.go_on(now_ns, page, out)?;
            }
        }
        Ok(())
    }

    /// A page ahead is free of others. It is at home; the home's own writers take it at once.
    pub(super) fn finish_ahead(&mut self, page: PageNo, request: Request, out: &mut Vec<Output>) {
        let me = self.config.me;
        if request.from != me {
            return;
        }
        self.counters.pages_ahead += 1;
        let entry = self.own_mut(page);
        if request.access.writes() && entry.local == Local::ReadOnly {
            entry.local = Local::Writable;
            entry.directory = Directory::Exclusive(me);
            self.raise(page, out);
        }
    }

    /// Lets threads of this home write `page`, together with its neighbours if it can be.
    pub(super) fn raise(&self, page: PageNo, out: &mut Vec<Output>) {
        let kind = |page: PageNo| self.config.layout.kind(page.addr().0);
        if let Some(Output::Upgrade { first, count }) = out.last_mut()
            && *count < crate::limits::WINDOW_PAGES_MAX
            && kind(*first) == kind(page)
        {
            if first.plus(u64::from(*count)) == page {
                *count += 1;
                return;
            }
            if page.plus(1) == *first {
                (*first, *count) = (page, *count + 1);
                return;
            }
        }
        out.push(Output::Upgrade { first: page, count: 1 });
    }
}

/// The nodes that have to give a page up.
fn asked(phase: &Phase) -> NodeSet {
    match *phase {
        Phase::Return(owner) | Phase::Pass(owner) | Phase::Passed { owner, .. } => NodeSet::of(owner),
        Phase::Acks(left) | Phase::Discard(left) => left,
        Phase::Residence | Phase::Installed => NodeSet::EMPTY,
    }
}

/// Whether the bytes come from another node.
fn is_taken(phase: &Phase) -> bool {
    matches!(phase, Phase::Return(_) | Phase::Pass(_))
}
