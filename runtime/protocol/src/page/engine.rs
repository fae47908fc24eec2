//! The engine as its driver sees it: inputs in, outputs out.

use core::hash::{Hash, Hasher};
use std::collections::BTreeMap;

use dstd_addr::{Kind, NodeId, NodeSet, PageNo};

use super::copies::Copies;
use super::counters::Counters;
use super::directory::{Busy, Directory, Request};
use super::io::{Config, Input, Output};
use super::progress::{PATIENCE, Progress};
use super::residence::Residence;
use super::stream::{Streams, Stretch};
use super::table::{Access, Entry, Local, Revoke, Table};
use super::toucher::reads_ahead;
use super::violation::Violation;
use crate::limits::{AHEAD_PAGES_MAX, WINDOW_PAGES_MAX};
use crate::{Message, MessageKind};

/// The page protocol of one node: home of its own pages, toucher of all others.
///
/// Equality and hash cover what later steps depend on; the counters are left out.
#[derive(Clone, Debug)]
pub struct PageEngine {
    pub(super) config: Config,
    pub(super) table: Table,
    /// Pages of this home that serve a request.
    pub(super) busy: BTreeMap<PageNo, Busy>,
    pub(super) residence: Residence,
    pub(super) progress: Progress,
    pub(super) streams: Streams,
    pub(super) copies: Copies,
    /// At the home: nodes that gave a page up while the home was taking it from them, until the
    /// home grants it to them. What took it may reach them at any time until then.
    pub(super) crossing: BTreeMap<PageNo, NodeSet>,
    /// How many pages of each discard are still to be done.
    pub(super) discards: BTreeMap<u64, u32>,
    pub(super) counters: Counters,
}

impl PageEngine {
    /// An engine for which every page is untouched. `window_max` is brought into
    /// `1..=WINDOW_PAGES_MAX`, `ahead_max` into `window_max..=AHEAD_PAGES_MAX`.
    pub fn new(mut config: Config) -> PageEngine {
        config.window_max = config.window_max.clamp(1, WINDOW_PAGES_MAX);
        config.ahead_max = config.ahead_max.clamp(config.window_max, AHEAD_PAGES_MAX);
        PageEngine {
            table: Table::new(config.me),
            config,
            busy: BTreeMap::new(),
            residence: Residence::default(),
            progress: Progress::default(),
            streams: Streams::default(),
            copies: Copies::default(),
            crossing: BTreeMap::new(),
            discards: BTreeMap::new(),
            counters: Counters::default(),
        }
    }

    /// Takes one input and appends what the driver has to do to `out`.
    ///
    /// Every fault is answered by an output that wakes its threads, in this step or a later one.
    ///
    /// # Errors
    /// Another node broke the protocol: the driver stops the program. What `out` holds then
    /// must not be carried out.
    pub fn step(&mut self, now_ns: u64, input: Input, out: &mut Vec<Output>) -> Result<(), Violation> {
        match input {
            Input::Fault { page, write, thread } => self.fault(now_ns, page, Access::new(write), thread, out),
            Input::Ran { thread, late } => {
                self.ran(now_ns, thread, late);
                self.tick(now_ns, out)
            }
            Input::Retired { thread } => {
                self.retired(now_ns, thread);
                self.tick(now_ns, out)
            }
            Input::Message { from, message } => self.message(now_ns, from, message, out),
            Input::Discard { first, count, token } => self.discard(first, count, token, out),
            Input::Tick => self.tick(now_ns, out),
        }?;
        self.shrink(now_ns, out);
        self.progress.doubts().into_iter().for_each(|page| self.prolong(now_ns, page));
        Ok(())
    }

    /// When to hand over [`Input::Tick`]; `None` while nothing waits for time to pass.
    pub fn deadline(&self) -> Option<u64> {
        [self.residence.deadline(), self.copies.retry_ns].into_iter().flatten().min()
    }

    /// What this engine was told at its start.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What threads of this node may do with `page`; `Absent` for pages that are not global.
    pub fn local(&self, page: PageNo) -> Local {
        self.home_of(page).map_or(Local::Absent, |home| self.table.get(page, home).local)
    }

    /// Whether this node waits for a right to `page`.
    pub fn is_pending(&self, page: PageNo) -> bool {
        self.home_of(page).is_some_and(|home| self.table.get(page, home).pending.is_some())
    }

    /// Who holds `page`, if this node is its home.
    pub fn directory(&self, page: PageNo) -> Option<Directory> {
        let home = self.home_of(page).filter(|&home| home == self.config.me)?;
        Some(self.table.get(page, home).directory)
    }

    /// Whether this node is the home of `page` and serves a request for it.
    pub fn is_busy(&self, page: PageNo) -> bool {
        self.busy.contains_key(&page)
    }

    /// Whether no page is pending, busy or about to be given away.
    pub fn is_idle(&self) -> bool {
        self.busy.is_empty()
            && self.discards.is_empty()
            && self.deadline().is_none()
            && self.table.touched().all(|(_, entry)| entry.pending.is_none() && entry.revoke.is_none())
    }

    /// Pages whose state differs from that of an untouched page, in order.
    pub fn touched(&self) -> impl Iterator<Item = PageNo> {
        self.table.touched().map(|(page, _)| page)
    }

    /// How many foreign pages this node holds.
    pub fn copies(&self) -> usize {
        self.copies.held()
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn fault(
        &mut self,
        now_ns: u64,
        page: PageNo,
        access: Access,
        thread: u32,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let me = self.config.me;
        let patience_ns = self.patience_ns();
        let home = self.home_of(page).ok_or(Violation::UnknownPage { from: me, page })?;
        let entry = self.table.get(page, home);
        if access.allowed_by(entry.local) {
            self.counters.faults_resolved += 1;
            self.progress.resolved(thread, page, now_ns, patience_ns);
            out.push(Output::Resolve { page, writable: entry.local == Local::Writable });
            return Ok(());
        }
        self.progress.want(thread, page, now_ns, patience_ns);
        if entry.pending.is_some() {
            // The install wakes the thread; should it want more than it then has, it faults again.
            self.counters.faults_joined += 1;
            let wanted = &mut self.table.get_mut(page, home).wanted;
            *wanted = (*wanted).max(Some(access));
            return self.follow(now_ns, page, home, access, out);
        }
        match (access, entry.local) {
            (Access::Read, _) => self.counters.faults_read += 1,
            (Access::Write, Local::ReadOnly) => self.counters.faults_upgrade += 1,
            (Access::Write, _) => self.counters.faults_write += 1,
        }
        if home != me {
            self.ask_home(page, home, access, out);
            return Ok(());
        }
        if self.busy.contains_key(&page) {
            self.follow(now_ns, page, home, access, out)?;
            self.table.get_mut(page, home).pending = Some(access);
            return self.enqueue(now_ns, page, Request::new(me, access, 1), out);
        }
        let (count, behind) = self.wish(page, home, access).split(self.reach(home).window);
        self.table.get_mut(page, home).pending = Some(access);
        self.enqueue(now_ns, page, Request::new(me, access, count), out)?;
        self.bring_home(now_ns, self.kind(page), behind, access, out)
    }

    /// A thread touched `page`, which is under way: asks for what its walk needs next.
    fn follow(
        &mut self,
        now_ns: u64,
        page: PageNo,
        home: NodeId,
        access: Access,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let reach = self.reach(home);
        let Some(behind) = self.streams.follow(page, access, reach) else { return Ok(()) };
        self.counters.asked_ahead += u64::from(behind.count);
        if behind.leaves_out() {
            self.counters.asked_in_steps += u64::from(behind.count);
        }
        if home == self.config.me {
            return self.bring_home(now_ns, self.kind(page), behind, access, out);
        }
        self.ask_pages(self.kind(page), behind, home, access, out);
        Ok(())
    }

    /// What a fault at `page`, which nobody asked for yet, asks for.
    pub(super) fn wish(&mut self, page: PageNo, home: NodeId, access: Access) -> Stretch {
        let reach = self.reach(home);
        if reach.ahead == 1 || !reads_ahead(self.kind(page)) {
            return Stretch::one(page);
        }
        let wish = self.streams.advance(page, access, reach);
        if wish.leaves_out() {
            self.counters.asked_in_steps += u64::from(wish.count - 1);
        }
        wish
    }

    fn message(
        &mut self,
        now_ns: u64,
        from: NodeId,
        message: Message,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        if from == self.config.me || from.0 >= self.config.layout.nodes() {
            return Err(Violation::UnknownSender { from });
        }
        match message {
            Message::PageRequest { first, count, write } => {
                let request = Request::new(from, Access::new(write), count);
                self.on_request(now_ns, first, request, out)
            }
            Message::PageReturn { first, count, exclusive } => {
                self.on_return(now_ns, from, first, count, exclusive, out)
            }
            Message::PageInvalidated { first, count } => self.on_invalidated(now_ns, from, first, count, out),
            Message::PageGrant { first, count, writable, upgrade } => {
                self.on_grant(now_ns, from, first, count, (writable, upgrade), out)
            }
            Message::PageFetch { first, count, exclusive } => {
                let revoke = if exclusive { Revoke::Take } else { Revoke::Share };
                self.on_revoke(now_ns, from, first, count, revoke, out)
            }
            Message::PageInvalidate { first, count } => {
                self.on_revoke(now_ns, from, first, count, Revoke::Drop, out)
            }
            Message::PagePass { first, count, exclusive, to } => {
                self.check_receiver(from, first, to)?;
                self.on_revoke(now_ns, from, first, count, Revoke::Pass { to, exclusive }, out)
            }
            Message::PagePassed { first, count, writable } => {
                self.on_passed(now_ns, from, first, count, writable, out)
            }
            Message::PageInstalled { first, count } => self.on_installed(now_ns, from, first, count, out),
            Message::PageEvict { first, count, exclusive } => {
                self.on_evict(now_ns, from, first, count, exclusive, out)
            }
            Message::PageDiscard { first, count } => self.on_discard(from, first, count, out),
            Message::PageDiscarded { first, count } => self.on_discarded(now_ns, from, first, count, out),
            _ => Err(Violation::NotForPages { from, kind: message.kind() }),
        }
    }

    fn tick(&mut self, now_ns: u64, out: &mut Vec<Output>) -> Result<(), Violation> {
        while let Some(page) = self.residence.pop_due(now_ns) {
            if self.home_of(page) == Some(self.config.me) {
                self.own_residence_over(now_ns, page, out)?;
            } else {
                self.residence_over(now_ns, page, out);
            }
        }
        Ok(())
    }

    /// What lies at `page`.
    pub(super) fn kind(&self, page: PageNo) -> Kind {
        self.config.layout.kind(page.addr().0)
    }

    /// The home of `page`; `None` also for numbers that are no page's.
    pub(super) fn home_of(&self, page: PageNo) -> Option<NodeId> {
        if page.0 >= crate::limits::PAGE_NO_END {
            return None;
        }
        self.config.layout.home(page)
    }

    /// Accepts `page` as one of this home.
    pub(super) fn check_own(&self, from: NodeId, page: PageNo, kind: MessageKind) -> Result<(), Violation> {
        match self.home_of(page) {
            None => Err(Violation::UnknownPage { from, page }),
            Some(home) if home != self.config.me => Err(Violation::WrongHome { from, page, kind }),
            Some(_) => Ok(()),
        }
    }

    /// Accepts pages as a range of this home.
    pub(super) fn check_own_run(
        &self,
        from: NodeId,
        first: PageNo,
        count: u16,
        kind: MessageKind,
    ) -> Result<(), Violation> {
        if count == 0 || count > WINDOW_PAGES_MAX {
            return Err(Violation::BadCount { from, first, count });
        }
        let region = self.config.layout.kind(first.addr().0);
        for page in (0..u64::from(count)).map(|offset| first.plus(offset)) {
            self.check_own(from, page, kind)?;
            if self.config.layout.kind(page.addr().0) != region {
                return Err(Violation::BadCount { from, first, count });
            }
        }
        Ok(())
    }

    /// Accepts `page` as one whose home is the sender.
    pub(super) fn check_foreign(
        &self,
        from: NodeId,
        page: PageNo,
        kind: MessageKind,
    ) -> Result<(), Violation> {
        match self.home_of(page) {
            None => Err(Violation::UnknownPage { from, page }),
            Some(home) if home != from => Err(Violation::WrongHome { from, page, kind }),
            Some(_) => Ok(()),
        }
    }

    /// How long a page stays at most beyond its residence. Without a residence nothing stays.
    pub fn patience_ns(&self) -> u64 {
        self.config.residence_ns.saturating_mul(PATIENCE)
    }

    /// Whether `page`, which is wanted elsewhere, stays although its residence is over.
    pub(super) fn stays_longer(&mut self, now_ns: u64, page: PageNo, out: &mut Vec<Output>) -> bool {
        let patience_ns = self.patience_ns();
        if self.progress.stays_until(page).is_some_and(|until_ns| until_ns <= now_ns) {
            self.counters.patience_ends += 1;
        }
        let Some(until_ns) = self.progress.stay(page, now_ns, patience_ns, out) else { return false };
        self.residence.hold(until_ns, page);
        self.counters.residence_waits += 1;
        true
    }

    /// A page that threads may wait for has come: their other pages stay one residence more.
    pub(super) fn came(&mut self, now_ns: u64, page: PageNo) {
        for other in self.progress.came(page, now_ns) {
            self.prolong(self.stays_until(now_ns), other);
        }
    }

    /// A thread that was watched has run. If it had not when their residence was over, its
    /// pages stay one residence more.
    fn ran(&mut self, now_ns: u64, thread: u32, late: bool) {
        let until_ns = if late { self.stays_until(now_ns) } else { now_ns };
        if self.progress.ran(thread) {
            self.progress.staying(thread).into_iter().for_each(|page| self.prolong(until_ns, page));
        }
    }

    /// A thread has got beyond what it faulted on: the residence of its pages is over. They stay for others.
    fn retired(&mut self, now_ns: u64, thread: u32) {
        for page in self.progress.retired(thread) {
            self.change_end(page, |until_ns| until_ns.min(now_ns));
        }
    }

    /// `page`, if it is here, stays until `until_ns` or longer, if its patience lasts so long.
    fn prolong(&mut self, until_ns: u64, page: PageNo) {
        let at_most = self.progress.stays_until(page).unwrap_or(u64::MAX);
        self.change_end(page, |before_ns| before_ns.max(until_ns).min(at_most));
    }

    /// Changes the end of the residence of `page`, if it is here and somebody has touched it.
    fn change_end(&mut self, page: PageNo, change: impl FnOnce(u64) -> u64) {
        let Some(home) = self.home_of(page) else { return };
        let touched = self.progress.stays_until(page).is_some() || self.table.untouched_from(page) == 0;
        if touched && self.local(page) != Local::Absent {
            let entry = self.table.get_mut(page, home);
            entry.until_ns = change(entry.until_ns);
            let until_ns = entry.until_ns;
            self.residence.change(until_ns, page);
        }
    }

    /// The end of the residence of a page that a fault brings in now.
    pub(super) fn stays_until(&self, now_ns: u64) -> u64 {
        now_ns.saturating_add(self.config.residence_ns)
    }

    /// The entry of a page of this home.
    pub(super) fn own(&self, page: PageNo) -> Entry {
        self.table.get(page, self.config.me)
    }

    /// The entry of a page of this home, to be changed.
    pub(super) fn own_mut(&mut self, page: PageNo) -> &mut Entry {
        self.table.get_mut(page, self.config.me)
    }
}

impl PartialEq for PageEngine {
    fn eq(&self, other: &PageEngine) -> bool {
        self.config == other.config
            && self.table == other.table
            && self.busy == other.busy
            && self.residence == other.residence
            && self.progress == other.progress
            && self.streams == other.streams
            && self.copies == other.copies
            && self.crossing == other.crossing
            && self.discards == other.discards
    }
}

impl Eq for PageEngine {}

impl Hash for PageEngine {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.config.me.hash(state);
        self.table.hash(state);
        self.busy.hash(state);
        self.residence.hash(state);
        self.progress.hash(state);
        self.streams.hash(state);
        self.copies.hash(state);
        self.crossing.hash(state);
        self.discards.hash(state);
    }
}
