//! Evictions: a node that holds too many foreign pages gives some back unasked (PAGE-3).

use dstd_addr::{NodeId, PageNo};

use super::copies::{Line, PAGES_OF_AN_INSTRUCTION};
use super::directory::{Directory, Phase};
use super::engine::PageEngine;
use super::io::{Body, Output};
use super::runs::{Run, gather};
use super::stream::Reach;
use super::table::Local;
use super::violation::Violation;
use crate::limits::{STREAMS_MAX, WINDOW_PAGES_MAX};
use crate::{Message, MessageKind};

/// One part in so many of the bound is given up at once: fewer, longer messages.
const BATCH_PART: usize = 16;

impl PageEngine {
    /// What walks over pages of `home` may ask for: those over foreign pages together leave room
    /// for the pages that threads really use.
    pub(super) fn reach(&self, home: NodeId) -> Reach {
        let room = self
            .config
            .copies_max
            .filter(|_| home != self.config.me)
            .map_or(u16::MAX, |max| u16::try_from(max as usize / STREAMS_MAX).unwrap_or(u16::MAX).max(1));
        Reach { window: self.config.window_max.min(room), ahead: self.config.ahead_max.min(room) }
    }

    /// Makes room for `coming` foreign pages, before they are mapped.
    pub(super) fn make_room(&mut self, now_ns: u64, coming: usize, out: &mut Vec<Output>) {
        // They are what one thread waits for.
        self.keep_bound(now_ns, coming, self.progress.waiting().saturating_sub(1), out);
    }

    /// At the end of a step: gives up what had to stay until now.
    pub(super) fn shrink(&mut self, now_ns: u64, out: &mut Vec<Output>) {
        if self.copies.retry_ns.is_none_or(|retry_ns| retry_ns <= now_ns) {
            self.copies.retry_ns = None;
            self.keep_bound(now_ns, 0, self.progress.waiting(), out);
        }
    }

    fn keep_bound(&mut self, now_ns: u64, coming: usize, others: usize, out: &mut Vec<Output>) {
        let Some(max) = self.config.copies_max else { return };
        let bound = max as usize + PAGES_OF_AN_INSTRUCTION * others;
        let excess = (self.copies.held() + coming).saturating_sub(bound);
        if excess > 0 {
            let batch = (max as usize / BATCH_PART).min(usize::from(WINDOW_PAGES_MAX));
            self.evict(now_ns, excess, excess.max(batch), out);
        }
    }

    /// Gives up `wanted` pages, those first that came first. Tries again later when fewer than
    /// `least` could go.
    fn evict(&mut self, now_ns: u64, least: usize, wanted: usize, out: &mut Vec<Output>) {
        let mut victims = Vec::new();
        let mut next_ns = None;
        // The second round is for pages that had a second chance.
        for _ in 0..2 * self.copies.len() {
            if victims.len() >= wanted {
                break;
            }
            let Some(page) = self.copies.next() else { break };
            let Some(home) = self.home_of(page) else { continue };
            let entry = self.table.get_mut(page, home);
            if entry.local == Local::Absent {
                entry.line = Line::Out;
                continue;
            }
            let resides = now_ns < entry.until_ns;
            if resides {
                next_ns = Some(next_ns.map_or(entry.until_ns, |next: u64| next.min(entry.until_ns)));
            }
            if resides || entry.pending.is_some() || entry.revoke.is_some() || entry.line == Line::Again {
                entry.line = Line::In;
                self.copies.stays(page);
                continue;
            }
            entry.line = Line::Out;
            victims.push((page, home, entry.local));
        }
        self.copies.retry_ns = next_ns.filter(|_| victims.len() < least);
        victims.sort_unstable_by_key(|&(page, ..)| page);
        let mut runs: Vec<Run<_>> = Vec::new();
        for (page, home, local) in victims {
            let kind = self.config.layout.kind(page.addr().0);
            gather(&mut runs, page, (home, kind, local));
            let entry = self.table.get_mut(page, home);
            entry.local = Local::Absent;
            entry.evicted = Some(local);
            self.copies.gone();
            self.counters.evictions += 1;
        }
        for Run { key: (home, _, local), first, count } in runs {
            let exclusive = local == Local::Writable;
            let message = Message::PageEvict { first, count, exclusive };
            self.progress.gone(first, count);
            let unmap = Output::Unmap { first, count };
            if exclusive {
                out.push(Output::Protect { first, count });
                out.push(Output::Send { to: home, message, body: Body::Pages });
                out.push(unmap);
            } else {
                out.push(unmap);
                out.push(Output::Send { to: home, message, body: Body::None });
            }
        }
    }

    /// Whether a revocation of `page` by its home crossed the eviction that answers it. The home
    /// sends at most one before it has seen the eviction, and a grant comes after it (XPORT-1).
    pub(super) fn crossed(&mut self, home: NodeId, page: PageNo, held: impl Fn(Local) -> bool) -> bool {
        let entry = self.table.get_mut(page, home);
        let crossed = entry.local == Local::Absent && entry.evicted.is_some_and(held);
        if crossed {
            entry.evicted = None;
            self.counters.evictions_crossed += 1;
        }
        crossed
    }

    /// At the home: `from` has given these pages up.
    pub(super) fn on_evict(
        &mut self,
        now_ns: u64,
        from: NodeId,
        first: PageNo,
        count: u16,
        exclusive: bool,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let kind = MessageKind::PageEvict;
        self.check_own_run(from, first, count, kind)?;
        let pages = || (0..u64::from(count)).map(|offset| first.plus(offset));
        for page in pages() {
            let held = match self.own(page).directory {
                Directory::Exclusive(owner) if self.is_passed(page) => {
                    !exclusive && owner != from && self.passed_to(page).is_some_and(|(to, _)| to == from)
                }
                Directory::Exclusive(owner) => exclusive && owner == from,
                Directory::Shared(sharers) => !exclusive && from != self.config.me && sharers.contains(from),
            };
            if !held {
                return Err(Violation::NotHeld { from, page, kind });
            }
        }
        // Pages whose request waited for nobody but `from`.
        let mut answered = Vec::new();
        let mut runs: Vec<Run<()>> = Vec::new();
        for page in pages() {
            let (mut crosses, mut last, mut discards, mut passed) = (false, false, false, false);
            if let Some(busy) = self.busy.get_mut(&page) {
                match &mut busy.phase {
                    Phase::Return(owner) | Phase::Pass(owner) => {
                        last = *owner == from;
                        crosses = last;
                    }
                    Phase::Acks(left) | Phase::Discard(left) if left.contains(from) => {
                        *left = left.without(from);
                        last = left.is_empty();
                        crosses = true;
                    }
                    Phase::Passed { held, .. } => {
                        *held = false;
                        passed = true;
                    }
                    Phase::Acks(_) | Phase::Discard(_) | Phase::Residence | Phase::Installed => {}
                }
                discards = matches!(busy.phase, Phase::Discard(_));
            }
            if crosses {
                self.note_crossing(page, from);
            }
            if last {
                answered.push(page);
            }
            let me = self.config.me;
            let entry = self.own_mut(page);
            if let Directory::Shared(sharers) = &mut entry.directory {
                *sharers = sharers.without(from);
            } else if !discards && !passed {
                entry.directory = Directory::Exclusive(me);
                entry.local = Local::Writable;
                gather(&mut runs, page, ());
            }
        }
        for Run { first: start, count, .. } in runs {
            let skip = (start.0 - first.0) as u16;
            out.push(Output::Install { first: start, count, writable: true, skip });
        }
        for page in answered {
            self.go_on(now_ns, page, out)?;
        }
        Ok(())
    }
}
