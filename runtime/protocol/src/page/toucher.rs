//! The toucher side: asks for foreign pages, installs them, gives them back.

use dstd_addr::{Kind, NodeId, PageNo};

use super::engine::PageEngine;
use super::io::{Body, Output};
use super::runs::{Run, gather, gather_few};
use super::stream::Stretch;
use super::table::{Access, Local, Revoke};
use super::violation::Violation;
use crate::limits::WINDOW_PAGES_MAX;
use crate::{Message, MessageKind};

impl PageEngine {
    /// Asks `home` for `page`, which is not pending, and perhaps for those its walk comes to next.
    pub(super) fn ask_home(&mut self, page: PageNo, home: NodeId, access: Access, out: &mut Vec<Output>) {
        let wish = self.wish(page, home, access);
        self.table.get_mut(page, home).wanted = Some(access);
        let kind = self.kind(page);
        if wish.first_is_lowest() {
            return self.ask_pages(kind, wish, home, access, out);
        }
        // What a thread waits for comes first.
        let (_, behind) = wish.split(1);
        self.ask_pages(kind, Stretch::one(page), home, access, out);
        self.ask_pages(kind, behind, home, access, out);
    }

    /// Asks `home` for those of these pages that are of this `kind` and neither here nor under way.
    /// One request names pages that are in the same state.
    pub(super) fn ask_pages(
        &mut self,
        kind: Kind,
        pages: Stretch,
        home: NodeId,
        access: Access,
        out: &mut Vec<Output>,
    ) {
        let window = self.reach(home).window;
        let mut runs: Vec<Run<Local>> = Vec::new();
        for page in pages.in_order() {
            if self.kind(page) != kind {
                continue;
            }
            let entry = self.table.get(page, home);
            // A page that is about to go is asked for only when a thread needs it.
            let stays = entry.revoke.is_none() || entry.wanted.is_some();
            if entry.pending.is_none() && stays && !access.allowed_by(entry.local) {
                self.table.get_mut(page, home).pending = Some(access);
                gather_few(&mut runs, page, entry.local, window);
            }
        }
        for Run { first, count, .. } in runs {
            self.table.get_mut(first, home).asked = count;
            let message = Message::PageRequest { first, count, write: access.writes() };
            out.push(Output::Send { to: home, message, body: Body::None });
        }
    }

    pub(super) fn on_grant(
        &mut self,
        now_ns: u64,
        from: NodeId,
        first: PageNo,
        count: u16,
        (writable, upgrade): (bool, bool),
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let kind = MessageKind::PageGrant;
        self.check_foreign(from, first, kind)?;
        self.install(now_ns, (from, from), first, count, (writable, upgrade), out)
    }

    /// What `home` was asked for has come from it or, by its order, from another node.
    pub(super) fn install(
        &mut self,
        now_ns: u64,
        (from, home): (NodeId, NodeId),
        first: PageNo,
        count: u16,
        (writable, upgrade): (bool, bool),
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let kind = if from == home { MessageKind::PageGrant } else { MessageKind::PagePassed };
        let asked = self.table.get(first, home).asked;
        if asked == 0 {
            return Err(Violation::Unasked { from, page: first, kind });
        }
        if count == 0 || count > asked {
            return Err(Violation::BadCount { from, first, count });
        }
        let before = if upgrade { Local::ReadOnly } else { Local::Absent };
        for offset in 0..u64::from(count) {
            let page = first.plus(offset);
            let entry = self.table.get(page, home);
            let fits = entry.local == before && entry.pending == Some(Access::new(writable));
            if !fits || (upgrade && !writable) {
                return Err(Violation::Unasked { from, page, kind });
            }
        }
        self.table.get_mut(first, home).asked = 0;
        if !upgrade {
            self.make_room(now_ns, usize::from(count), out);
        }
        self.take_in(now_ns, home, first, count, writable);
        out.push(if upgrade {
            Output::Upgrade { first, count }
        } else {
            Output::Install { first, count, writable, skip: 0 }
        });
        if from != home {
            // Before what the threads of this node want next.
            let message = Message::PageInstalled { first, count };
            out.push(Output::Send { to: home, message, body: Body::None });
        }
        self.release(home, first.plus(u64::from(count)), asked - count, out);
        Ok(())
    }

    /// Notes granted pages as held; those that a thread waits for stay for a while.
    fn take_in(&mut self, now_ns: u64, home: NodeId, first: PageNo, count: u16, writable: bool) {
        let until_ns = self.stays_until(now_ns);
        for offset in 0..u64::from(count) {
            let entry = self.table.get_mut(first.plus(offset), home);
            if entry.local == Local::Absent {
                entry.evicted = None;
                if self.config.copies_max.is_some() {
                    self.copies.came(first.plus(offset), &mut entry.line);
                }
            }
            entry.local = if writable { Local::Writable } else { Local::ReadOnly };
            entry.pending = None;
            if entry.wanted.take().is_some() {
                entry.until_ns = until_ns;
                self.came(now_ns, first.plus(offset));
            } else {
                self.counters.pages_ahead += 1;
            }
        }
    }

    /// Gives up pages the home did not grant; asks again for those that threads touched since.
    fn release(&mut self, home: NodeId, first: PageNo, count: u16, out: &mut Vec<Output>) {
        self.counters.pages_ungranted += u64::from(count);
        for offset in 0..u64::from(count) {
            self.table.get_mut(first.plus(offset), home).pending = None;
        }
        for offset in 0..u64::from(count) {
            let page = first.plus(offset);
            let entry = self.table.get(page, home);
            let Some(access) = entry.wanted else { continue };
            // The window of a page before it may already ask for this one; its mark stays.
            if entry.pending.is_some() {
                continue;
            }
            self.counters.faults_asked_again += 1;
            self.ask_home(page, home, access, out);
        }
    }

    /// The home takes pages away. Those whose fault may not have retired are answered later.
    pub(super) fn on_revoke(
        &mut self,
        now_ns: u64,
        from: NodeId,
        first: PageNo,
        count: u16,
        revoke: Revoke,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let (kind, held) = match revoke {
            Revoke::Share | Revoke::Take => (MessageKind::PageFetch, Local::Writable),
            Revoke::Pass { .. } => (MessageKind::PagePass, Local::Writable),
            Revoke::Drop => (MessageKind::PageInvalidate, Local::ReadOnly),
        };
        if count == 0 || count > WINDOW_PAGES_MAX {
            return Err(Violation::BadCount { from, first, count });
        }
        let mut runs: Vec<Run<_>> = Vec::new();
        for page in (0..u64::from(count)).map(|offset| first.plus(offset)) {
            self.check_foreign(from, page, kind)?;
            let entry = self.table.get(page, from);
            if self.crossed(from, page, |was| was == held) {
                continue;
            }
            if entry.local != held || entry.revoke.is_some() {
                return Err(Violation::NotHeld { from, page, kind });
            }
            let by_itself = if page == first { revoke } else { revoke.behind() };
            if now_ns < entry.until_ns {
                self.table.get_mut(page, from).revoke = Some(by_itself);
                self.residence.hold(entry.until_ns, page);
                self.counters.residence_waits += 1;
            } else if self.stays_longer(now_ns, page, out) {
                self.table.get_mut(page, from).revoke = Some(by_itself);
            } else {
                gather(&mut runs, page, self.config.layout.kind(page.addr().0));
            }
        }
        for Run { first: start, count, .. } in runs {
            let revoke = if start == first { revoke } else { revoke.behind() };
            self.give_back(from, start, count, revoke, out);
        }
        Ok(())
    }

    /// The minimum residence of a foreign page that the home wants is over.
    pub(super) fn residence_over(&mut self, now_ns: u64, page: PageNo, out: &mut Vec<Output>) {
        let Some(home) = self.home_of(page) else { return };
        if self.stays_longer(now_ns, page, out) {
            return;
        }
        if let Some(revoke) = self.table.get_mut(page, home).revoke.take() {
            self.give_back(home, page, 1, revoke, out);
        }
    }

    /// Stops the threads that use these pages first, answers then.
    fn give_back(&mut self, home: NodeId, first: PageNo, count: u16, revoke: Revoke, out: &mut Vec<Output>) {
        for page in (0..u64::from(count)).map(|offset| first.plus(offset)) {
            let entry = self.table.get_mut(page, home);
            entry.local = if revoke.keeps() { Local::ReadOnly } else { Local::Absent };
            if !revoke.keeps() {
                self.copies.gone();
            }
        }
        if !revoke.keeps() {
            self.progress.gone(first, count);
        }
        let unmap = Output::Unmap { first, count };
        if revoke == Revoke::Drop {
            let message = Message::PageInvalidated { first, count };
            out.extend([unmap, Output::Send { to: home, message, body: Body::None }]);
            return;
        }
        out.push(Output::Protect { first, count });
        if let Revoke::Pass { to, exclusive } = revoke {
            self.pass(home, to, first, count, exclusive, out);
        } else {
            let message = Message::PageReturn { first, count, exclusive: revoke == Revoke::Take };
            out.push(Output::Send { to: home, message, body: Body::Pages });
        }
        if !revoke.keeps() {
            out.push(unmap);
        }
    }
}

/// Whether pages that follow a touched one may be asked for with it. Statics lie too close to
/// others; between stacks there are guard pages, which nobody may touch, the home included.
pub(super) const fn reads_ahead(kind: Kind) -> bool {
    matches!(kind, Kind::Heap(_) | Kind::Striped(_))
}
