//! The home side: one request per page at a time, oldest first.

use std::collections::VecDeque;

use dstd_addr::{NodeSet, PageNo};

use super::directory::{Busy, Directory, Phase, Request};
use super::engine::PageEngine;
use super::io::{Body, Output};
use super::table::{Access, Local};
use super::toucher::reads_ahead;
use super::violation::Violation;
use crate::{Message, MessageKind};

impl PageEngine {
    pub(super) fn on_request(
        &mut self,
        now_ns: u64,
        first: PageNo,
        request: Request,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let Request { from, count, .. } = request;
        self.check_own(from, first, MessageKind::PageRequest)?;
        if count == 0 || count > self.config.window_max || !self.lie_together(first, count) {
            return Err(Violation::BadCount { from, first, count });
        }
        self.enqueue(now_ns, first, request, out)
    }

    /// The minimum residence of this home's own copy of `page` is over.
    pub(super) fn own_residence_over(
        &mut self,
        now_ns: u64,
        page: PageNo,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        if self.busy.get(&page).is_some_and(|busy| busy.phase == Phase::Residence) {
            return self.go_on(now_ns, page, out);
        }
        Ok(())
    }

    /// Serves `request` now or behind those that came before it.
    pub(super) fn enqueue(
        &mut self,
        now_ns: u64,
        page: PageNo,
        request: Request,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let Some(busy) = self.busy.get_mut(&page) else {
            return match self.begin(now_ns, page, request, out)? {
                None => Ok(()),
                Some(phase) => {
                    self.busy.insert(page, Busy::new(request, phase));
                    Ok(())
                }
            };
        };
        if busy.names(request.from) {
            return Err(Violation::Repeated { from: request.from, page });
        }
        busy.waiting.push_back(request);
        self.counters.requests_queued += 1;
        Ok(())
    }

    /// Everybody else has answered: finishes the request being served and takes up the next.
    pub(super) fn go_on(
        &mut self,
        now_ns: u64,
        page: PageNo,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let Some(mut busy) = self.busy.remove(&page) else { return Ok(()) };
        if let Some(phase) = self.finish(now_ns, page, busy.request, out) {
            busy.phase = phase;
            self.busy.insert(page, busy);
            return Ok(());
        }
        self.serve_waiting(now_ns, page, busy.waiting, out)
    }

    /// Serves requests until one has to wait for somebody.
    pub(super) fn serve_waiting(
        &mut self,
        now_ns: u64,
        page: PageNo,
        mut waiting: VecDeque<Request>,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        while let Some(request) = waiting.pop_front() {
            if let Some(phase) = self.begin(now_ns, page, request, out)? {
                self.busy.insert(page, Busy { request, phase, waiting });
                return Ok(());
            }
        }
        Ok(())
    }

    /// Starts a request on a page that is not busy; `None` when it is already granted.
    fn begin(
        &mut self,
        now_ns: u64,
        page: PageNo,
        request: Request,
        out: &mut Vec<Output>,
    ) -> Result<Option<Phase>, Violation> {
        if let Some(token) = request.discard {
            return Ok(self.begin_discard(page, token, out));
        }
        let Some(phase) = self.in_the_way(page, request)? else {
            return Ok(self.finish(now_ns, page, request, out));
        };
        let phase = self.way(page, request, phase);
        if matches!(phase, Phase::Return(_)) && request.from != self.config.me {
            self.counters.passes_avoided += 1;
        }
        self.take_back(page, request, &phase, out);
        Ok(Some(phase))
    }

    /// The home has the bytes and nobody stands in the way: grants, unless the home's own copy
    /// has to be taken and must stay a little longer.
    fn finish(
        &mut self,
        now_ns: u64,
        page: PageNo,
        request: Request,
        out: &mut Vec<Output>,
    ) -> Option<Phase> {
        if let Some(token) = request.discard {
            self.forget(page, 1, token, out);
            return None;
        }
        if request.ahead {
            self.finish_ahead(page, request, out);
            return None;
        }
        if request.from == self.config.me {
            self.grant_to_self(now_ns, page, request.access, out);
            return None;
        }
        let own = self.own(page);
        let taken = request.access.writes() || own.local == Local::Writable;
        if taken && now_ns < own.until_ns {
            self.residence.hold(own.until_ns, page);
            self.counters.residence_waits += 1;
            return Some(Phase::Residence);
        }
        if taken && own.local != Local::Absent && self.stays_longer(now_ns, page, out) {
            return Some(Phase::Residence);
        }
        self.grant(now_ns, page, request, out);
        None
    }

    /// A request of this node's own threads; the home has the bytes.
    fn grant_to_self(&mut self, now_ns: u64, page: PageNo, access: Access, out: &mut Vec<Output>) {
        let me = self.config.me;
        self.retire(now_ns, page);
        let entry = self.own_mut(page);
        if access.allowed_by(entry.local) {
            // A copy came in for somebody else while the request waited.
            out.push(Output::Resolve { page, writable: entry.local == Local::Writable });
            return;
        }
        entry.local = Local::Writable;
        entry.directory = Directory::Exclusive(me);
        self.raise(page, out);
    }

    /// What the home's own threads waited for has come; it stays until their fault has retired.
    pub(super) fn retire(&mut self, now_ns: u64, page: PageNo) {
        let until_ns = self.stays_until(now_ns);
        let entry = self.own_mut(page);
        entry.pending = None;
        entry.wanted = None;
        entry.until_ns = until_ns;
        self.came(now_ns, page);
    }

    /// Grants `first`, and what follows as far as it is as easily had, from the home's memory.
    fn grant(&mut self, now_ns: u64, first: PageNo, request: Request, out: &mut Vec<Output>) {
        let (me, to, writable) = (self.config.me, request.from, request.access.writes());
        let upgrade = writable
            && matches!(self.own(first).directory, Directory::Shared(sharers) if sharers.contains(to));
        let mut count = 1;
        while count < request.count && self.can_follow(now_ns, first.plus(u64::from(count)), request, upgrade)
        {
            count += 1;
        }
        self.protect_writable(first, count, out);
        for page in pages(first, count) {
            self.pushes_out(page, to);
            let entry = self.own_mut(page);
            if writable {
                entry.local = Local::Absent;
                entry.directory = Directory::Exclusive(to);
            } else {
                let sharers = match entry.directory {
                    Directory::Exclusive(_) => NodeSet::of(me),
                    Directory::Shared(sharers) => sharers,
                };
                entry.local = Local::ReadOnly;
                entry.directory = Directory::Shared(sharers.with(to));
            }
        }
        if writable {
            self.progress.gone(first, count);
        }
        let message = Message::PageGrant { first, count, writable, upgrade };
        let body = if upgrade { Body::None } else { Body::Pages };
        out.push(Output::Send { to, message, body });
        if writable {
            out.push(Output::Unmap { first, count });
        }
    }

    /// Whether `page` can be granted together with the page before it: by the home alone, now,
    /// and in the same way (with bytes, or as an upgrade).
    fn can_follow(&self, now_ns: u64, page: PageNo, request: Request, upgrade: bool) -> bool {
        if self.busy.contains_key(&page) {
            return false;
        }
        let (me, from) = (self.config.me, request.from);
        let own = self.own(page);
        let stays = now_ns < own.until_ns || self.progress.is_needed(page, now_ns, self.patience_ns());
        match (own.directory, request.access) {
            (Directory::Exclusive(owner), _) => owner == me && !upgrade && !stays,
            (Directory::Shared(sharers), Access::Read) => !sharers.contains(from),
            (Directory::Shared(sharers), Access::Write) => {
                sharers.without(from).without(me).is_empty() && sharers.contains(from) == upgrade && !stays
            }
        }
    }

    /// Stops this node's writers on those of the pages where it has any.
    fn protect_writable(&self, first: PageNo, count: u16, out: &mut Vec<Output>) {
        let mut run: Option<(PageNo, u16)> = None;
        for page in pages(first, count) {
            if self.own(page).local == Local::Writable {
                run = Some(run.map_or((page, 1), |(first, count)| (first, count + 1)));
            } else if let Some((first, count)) = run.take() {
                out.push(Output::Protect { first, count });
            }
        }
        out.extend(run.map(|(first, count)| Output::Protect { first, count }));
    }

    /// Whether all of these pages lie in one region from which several may be asked for at once.
    fn lie_together(&self, first: PageNo, count: u16) -> bool {
        let last = first.plus(u64::from(count - 1));
        let kind = self.config.layout.kind(first.addr().0);
        count == 1
            || (self.home_of(last).is_some()
                && reads_ahead(kind)
                && kind == self.config.layout.kind(last.addr().0))
    }
}

fn pages(first: PageNo, count: u16) -> impl Iterator<Item = PageNo> {
    (0..u64::from(count)).map(move |offset| first.plus(offset))
}
