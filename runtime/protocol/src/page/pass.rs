//! A page of a third node goes from its owner to who asked for it, past the home.
//!
//! | message | from | to | when |
//! |---|---|---|---|
//! | `PagePass` | home | owner | the request of a third node is next |
//! | `PagePassed`, with the bytes | owner | asker | the owner's threads are stopped |
//! | `PagePassed`, with the bytes | owner | home | as well, if the asker only reads |
//! | `PageInstalled` | asker | home | in the step that installs the page |
//!
//! The asker waits for three messages one after the other, not for four, and the bytes of a
//! write travel once.
//!
//! # Why the page is busy until it is installed (PAGE-3)
//! Nothing orders what the owner sends to the asker with what the home sends to it. So while
//! the bytes may be under way the home says nothing about the page to the asker: it is busy
//! until the home has `PageInstalled`, and for a read the bytes too. The two come in any order:
//!
//! | phase | bytes at home | installed | the directory says | may hold it as well |
//! |---|---|---|---|---|
//! | `Pass(k)` | no | no | `Exclusive(k)` | the asker |
//! | `Passed { owner: k, held }` | no | yes | `Exclusive(k)` | the asker, while `held` |
//! | `Installed` | yes | no | `Shared{home, k, asker}` | |
//!
//! Nor may anything that the home said before reach the asker after the bytes. Whatever it says
//! about a page it says to a node that the directory names, and goes on only when that node
//! has answered, so it has arrived; with one exception: a revocation that crosses an eviction
//! is answered by the eviction. So the home notes who gave a page up while it was being taken
//! (`crossing`), and until it has granted the page to that node itself, which pushes the
//! revocation out (XPORT-1), the bytes for it travel through the home.

use dstd_addr::{NodeId, NodeSet, PageNo};

use super::directory::{Busy, Directory, Phase, Request};
use super::engine::PageEngine;
use super::io::{Body, Output};
use super::table::Local;
use super::violation::Violation;
use crate::{Message, MessageKind};

impl PageEngine {
    /// The node that may hold `page` of this home besides those the directory names, and what
    /// it may do with it: its owner passes it on.
    pub fn passed_to(&self, page: PageNo) -> Option<(NodeId, Local)> {
        let busy = self.busy.get(&page)?;
        let right = if busy.request.access.writes() { Local::Writable } else { Local::ReadOnly };
        match busy.phase {
            Phase::Pass(_) | Phase::Passed { held: true, .. } => Some((busy.request.from, right)),
            _ => None,
        }
    }

    /// Whether who asked for `page` has installed it to read, and the bytes are still on their way here.
    pub(super) fn is_passed(&self, page: PageNo) -> bool {
        self.busy.get(&page).is_some_and(|busy| matches!(busy.phase, Phase::Passed { .. }))
    }

    /// How `page` comes to who asks for it, given what stands in the way.
    pub(super) fn way(&self, page: PageNo, request: Request, phase: Phase) -> Phase {
        match phase {
            Phase::Return(owner) if request.from != self.config.me && !self.crosses(page, request.from) => {
                Phase::Pass(owner)
            }
            other => other,
        }
    }

    /// Whether a revocation of `page` may still be under way to `node`, which has given it up.
    pub(super) fn crosses(&self, page: PageNo, node: NodeId) -> bool {
        self.crossing.get(&page).is_some_and(|nodes| nodes.contains(node))
    }

    /// `node` has given `page` up while the home was taking it.
    pub(super) fn note_crossing(&mut self, page: PageNo, node: NodeId) {
        let nodes = self.crossing.entry(page).or_insert(NodeSet::EMPTY);
        *nodes = nodes.with(node);
    }

    /// The home sends `page` to `node`: what it sent before arrives before.
    pub(super) fn pushes_out(&mut self, page: PageNo, node: NodeId) {
        if let Some(nodes) = self.crossing.get_mut(&page) {
            *nodes = nodes.without(node);
            if nodes.is_empty() {
                self.crossing.remove(&page);
            }
        }
    }

    /// At the owner, whose threads are stopped: sends pages to `to`.
    pub(super) fn pass(
        &mut self,
        home: NodeId,
        to: NodeId,
        first: PageNo,
        count: u16,
        exclusive: bool,
        out: &mut Vec<Output>,
    ) {
        let message = Message::PagePassed { first, count, writable: exclusive };
        out.push(Output::Send { to, message, body: Body::Pages });
        if !exclusive {
            out.push(Output::Send { to: home, message, body: Body::Pages });
        }
    }

    /// The pages of an owner have come: those this node asked for, or the home's copies of them.
    pub(super) fn on_passed(
        &mut self,
        now_ns: u64,
        from: NodeId,
        first: PageNo,
        count: u16,
        writable: bool,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let kind = MessageKind::PagePassed;
        match self.home_of(first) {
            None => Err(Violation::UnknownPage { from, page: first }),
            Some(home) if home == from => Err(Violation::WrongHome { from, page: first, kind }),
            Some(home) if home == self.config.me => {
                self.on_passed_home(now_ns, from, first, count, writable, out)
            }
            Some(home) => self.install(now_ns, (from, home), first, count, (writable, false), out),
        }
    }

    /// At the home: `owner` has passed these pages to who wants to read them, and here are they.
    fn on_passed_home(
        &mut self,
        now_ns: u64,
        owner: NodeId,
        first: PageNo,
        count: u16,
        writable: bool,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let (me, kind) = (self.config.me, MessageKind::PagePassed);
        self.check_own_run(owner, first, count, kind)?;
        let ready = self.passed_together(owner, first, count, kind, |busy| match busy.phase {
            Phase::Pass(by) | Phase::Passed { owner: by, .. } => {
                by == owner && !writable && !busy.request.access.writes()
            }
            _ => false,
        })?;
        let mut free = Vec::new();
        for (page, mut busy) in ready {
            let sharers = NodeSet::of(me).with(owner);
            let gone = matches!(busy.phase, Phase::Passed { held: false, .. });
            let entry = self.own_mut(page);
            entry.directory = Directory::Shared(if gone { sharers } else { sharers.with(busy.request.from) });
            entry.local = Local::ReadOnly;
            if matches!(busy.phase, Phase::Pass(_)) {
                busy.phase = Phase::Installed;
                self.busy.insert(page, busy);
            } else {
                free.push((page, busy));
            }
        }
        out.push(Output::Install { first, count, writable: false, skip: 0 });
        self.serve_behind(now_ns, free, out)
    }

    /// At the home: `from` uses the pages that their owner has passed to it.
    pub(super) fn on_installed(
        &mut self,
        now_ns: u64,
        from: NodeId,
        first: PageNo,
        count: u16,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let kind = MessageKind::PageInstalled;
        self.check_own_run(from, first, count, kind)?;
        let ready = self.passed_together(from, first, count, kind, |busy| {
            busy.request.from == from && matches!(busy.phase, Phase::Pass(_) | Phase::Installed)
        })?;
        let mut free = Vec::new();
        for (page, mut busy) in ready {
            match busy.phase {
                Phase::Pass(owner) if !busy.request.access.writes() => {
                    busy.phase = Phase::Passed { owner, held: true };
                    self.busy.insert(page, busy);
                    continue;
                }
                Phase::Pass(_) => self.own_mut(page).directory = Directory::Exclusive(from),
                _ => {}
            }
            free.push((page, busy));
        }
        self.serve_behind(now_ns, free, out)
    }

    /// Takes out the pages that one `PagePassed` names: one that was asked for, and pages ahead
    /// of the same request, all of which `fits`.
    fn passed_together(
        &mut self,
        from: NodeId,
        first: PageNo,
        count: u16,
        kind: MessageKind,
        fits: impl Fn(&Busy) -> bool,
    ) -> Result<Vec<(PageNo, Busy)>, Violation> {
        let mut together: Vec<(PageNo, Busy)> = Vec::new();
        for page in (0..u64::from(count)).map(|offset| first.plus(offset)) {
            let with = together.first().map(|(_, busy)| busy.request.from);
            let belongs = |busy: &Busy| match with {
                None => !busy.request.ahead,
                Some(with) => busy.request.ahead && busy.request.from == with,
            };
            let Some(busy) = self.busy.remove(&page).filter(|busy| fits(busy) && belongs(busy)) else {
                return Err(Violation::Unasked { from, page, kind });
            };
            together.push((page, busy));
        }
        Ok(together)
    }

    /// Goes on with what waits behind requests that are done.
    pub(super) fn serve_behind(
        &mut self,
        now_ns: u64,
        done: Vec<(PageNo, Busy)>,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        for (page, busy) in done {
            match self.busy.get_mut(&page) {
                // The request of a page before it has taken this one back with it.
                Some(ahead) => ahead.waiting.extend(busy.waiting),
                None => self.serve_waiting(now_ns, page, busy.waiting, out)?,
            }
        }
        Ok(())
    }

    /// At the owner: accepts `to` as one whom pages of `home` can be passed to.
    pub(super) fn check_receiver(&self, home: NodeId, first: PageNo, to: NodeId) -> Result<(), Violation> {
        if to == home || to == self.config.me || to.0 >= self.config.layout.nodes() {
            return Err(Violation::Astray { from: home, page: first, to });
        }
        Ok(())
    }
}
