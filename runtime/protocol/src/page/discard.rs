//! Discards: the home takes pages back whose bytes nobody needs (freed memory). Holders drop
//! them without sending them; then the home forgets its own bytes.
//!
//! Page by page a discard is an atomic store of zeros by the home, so also who touches such a
//! page by mistake or by read-ahead sees one memory.

use std::collections::BTreeMap;

use dstd_addr::{NodeId, NodeSet, PageNo};

use super::directory::{Busy, Directory, Phase, Request};
use super::engine::PageEngine;
use super::io::{Body, Output};
use super::runs::{Run, gather};
use super::table::Local;
use super::violation::Violation;
use crate::{Message, MessageKind};

impl PageEngine {
    /// Begins to discard `count` own pages.
    pub(super) fn discard(
        &mut self,
        first: PageNo,
        count: u32,
        token: u64,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let (me, kind) = (self.config.me, MessageKind::PageDiscard);
        if count == 0 {
            out.push(Output::Discarded { token });
            return Ok(());
        }
        let last = first.plus(u64::from(count - 1));
        for page in [first, last] {
            self.check_own(me, page, kind)?;
        }
        let region = self.config.layout.kind(first.addr().0);
        if region != self.config.layout.kind(last.addr().0) || self.discards.contains_key(&token) {
            return Err(Violation::WrongHome { from: me, page: last, kind });
        }
        self.discards.insert(token, count);
        // One range of pages for each holder is open at a time.
        let mut away: BTreeMap<NodeId, Vec<Run<()>>> = BTreeMap::new();
        let mut page = first;
        while page <= last {
            let untouched = self.table.untouched_from(page).min(last.0 - page.0 + 1);
            if untouched > 0 {
                self.forget(page, untouched as u32, token, out);
                page = page.plus(untouched);
                continue;
            }
            let request = Request::discard(me, token);
            if let Some(busy) = self.busy.get_mut(&page) {
                busy.waiting.push_back(request);
                self.counters.requests_queued += 1;
            } else {
                let holders = self.holders(page);
                for holder in holders.iter() {
                    gather(away.entry(holder).or_default(), page, ());
                }
                if holders.is_empty() {
                    self.forget(page, 1, token, out);
                } else {
                    self.busy.insert(page, Busy::new(request, Phase::Discard(holders)));
                }
            }
            page = page.plus(1);
        }
        for (to, runs) in away {
            for Run { first, count, .. } in runs {
                let message = Message::PageDiscard { first, count };
                out.push(Output::Send { to, message, body: Body::None });
            }
        }
        Ok(())
    }

    /// Begins to discard one page that was busy until now.
    pub(super) fn begin_discard(&mut self, page: PageNo, token: u64, out: &mut Vec<Output>) -> Option<Phase> {
        let holders = self.holders(page);
        if holders.is_empty() {
            self.forget(page, 1, token, out);
            return None;
        }
        let message = Message::PageDiscard { first: page, count: 1 };
        out.extend(holders.iter().map(|to| Output::Send { to, message, body: Body::None }));
        Some(Phase::Discard(holders))
    }

    /// The other nodes that the directory names for `page`.
    fn holders(&self, page: PageNo) -> NodeSet {
        match self.own(page).directory {
            Directory::Exclusive(owner) => NodeSet::of(owner),
            Directory::Shared(sharers) => sharers,
        }
        .without(self.config.me)
    }

    /// Nobody else has these pages: they are the home's, and fresh.
    pub(super) fn forget(&mut self, first: PageNo, count: u32, token: u64, out: &mut Vec<Output>) {
        let me = self.config.me;
        for page in (0..u64::from(count)).map(|offset| first.plus(offset)) {
            if self.table.untouched_from(page) > 0 {
                continue;
            }
            let entry = self.own_mut(page);
            entry.directory = Directory::Exclusive(me);
            entry.local = Local::Writable;
        }
        self.counters.discards += u64::from(count);
        match out.last_mut() {
            Some(Output::Fresh { first: start, count: so_far })
                if start.plus(u64::from(*so_far)) == first && same_region(self, *start, first) =>
            {
                *so_far += count;
            }
            _ => out.push(Output::Fresh { first, count }),
        }
        let Some(left) = self.discards.get_mut(&token) else { return };
        *left -= count;
        if *left == 0 {
            self.discards.remove(&token);
            out.push(Output::Discarded { token });
        }
    }

    /// At a holder: the home wants these pages dropped.
    pub(super) fn on_discard(
        &mut self,
        from: NodeId,
        first: PageNo,
        count: u16,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let kind = MessageKind::PageDiscard;
        let mut runs: Vec<Run<()>> = Vec::new();
        for page in (0..u64::from(count)).map(|offset| first.plus(offset)) {
            self.check_foreign(from, page, kind)?;
            // Its `PageEvict` is the answer.
            if self.crossed(from, page, |_| true) {
                continue;
            }
            let entry = self.table.get_mut(page, from);
            if entry.local == Local::Absent || entry.revoke.is_some() {
                return Err(Violation::NotHeld { from, page, kind });
            }
            entry.local = Local::Absent;
            self.copies.gone();
            gather(&mut runs, page, ());
        }
        for Run { first, count, .. } in runs {
            self.progress.gone(first, count);
            out.push(Output::Unmap { first, count });
            let message = Message::PageDiscarded { first, count };
            out.push(Output::Send { to: from, message, body: Body::None });
        }
        Ok(())
    }

    /// At the home: `from` has dropped these pages.
    pub(super) fn on_discarded(
        &mut self,
        now_ns: u64,
        from: NodeId,
        first: PageNo,
        count: u16,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let kind = MessageKind::PageDiscarded;
        self.check_own_run(from, first, count, kind)?;
        for page in (0..u64::from(count)).map(|offset| first.plus(offset)) {
            let Some(Busy { phase: Phase::Discard(left), .. }) = self.busy.get_mut(&page) else {
                return Err(Violation::Unasked { from, page, kind });
            };
            if !left.contains(from) {
                return Err(Violation::Unasked { from, page, kind });
            }
            *left = left.without(from);
            let last = left.is_empty();
            if let Directory::Shared(sharers) = &mut self.own_mut(page).directory {
                *sharers = sharers.without(from);
            }
            if last {
                self.go_on(now_ns, page, out)?;
            }
        }
        Ok(())
    }
}

fn same_region(engine: &PageEngine, one: PageNo, other: PageNo) -> bool {
    let layout = &engine.config.layout;
    layout.kind(one.addr().0) == layout.kind(other.addr().0)
}
