//! Pages that stay until the instruction that touched them can retire (PAGE-2).
//!
//! An instruction that needs several contended pages retires only when all of them are here at
//! once, and when its thread runs then. So a page that is wanted elsewhere stays beyond its
//! residence for a thread of this node that it came for
//!
//! - while the thread waits for a page *above* it. Pages are acquired in order: nodes that hold
//!   one each do not pass them round in lockstep, and nobody waits in a circle. What lies above
//!   the page that the thread waits for goes after its residence;
//! - while the thread has not run since its last page came. The driver watches it then.
//!
//! When the last page has come, or the thread has run at last, its pages stay one residence
//! more. A bound in time makes sure that nobody waits for ever: where a page comes only together with a
//! lower one (read-ahead), or a thread is not scheduled.

use std::collections::{BTreeMap, BTreeSet};

use dstd_addr::PageNo;

use super::copies::PAGES_OF_AN_INSTRUCTION;
use super::io::Output;

/// How many residences a page stays at the most beyond its own: two slices of a scheduler, with
/// the usual residence. So old may the last page of a
/// thread be at most, too, that its next fault is taken for one of the same instruction.
pub(super) const PATIENCE: u64 = 256;

/// So many threads are remembered before those are forgotten whose last fault is long ago.
const THREADS_MIN: usize = 64;

/// Whether a thread has run since its last page came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Run {
    /// It has: it faulted again, or the driver has said so.
    Yes,
    /// Nobody has asked.
    Unknown,
    /// The driver will say.
    Watched,
}

/// What a thread got last.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Steps {
    /// As many as an instruction may need; the last one came last.
    pages: Vec<PageNo>,
    /// When the last one came, or the thread first faulted.
    last_ns: u64,
    /// What it waits for.
    waits: Option<PageNo>,
    run: Run,
}

impl Steps {
    /// Whether `page` must stay for this thread. Who got its last page longer ago than
    /// `patience_ns` has run.
    fn need(&self, page: PageNo, now_ns: u64, patience_ns: u64) -> bool {
        let pending = match self.waits {
            Some(awaited) => awaited > page,
            None => self.run != Run::Yes && now_ns.saturating_sub(self.last_ns) <= patience_ns,
        };
        pending && self.pages.contains(&page)
    }

    /// `page` is here, and the thread is woken.
    fn got(&mut self, page: PageNo, now_ns: u64) {
        self.pages.retain(|&before| before != page);
        if self.pages.len() == PAGES_OF_AN_INSTRUCTION {
            self.pages.remove(0);
        }
        self.pages.push(page);
        self.last_ns = now_ns;
        if self.waits.is_none_or(|awaited| awaited == page) {
            self.waits = None;
            self.run = Run::Unknown;
        }
    }
}

/// What threads wait for and have got, and what stays for that.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct Progress {
    /// Pages that threads of this node have touched and wait for.
    wanted: BTreeMap<PageNo, BTreeSet<u32>>,
    threads: BTreeMap<u32, Steps>,
    /// Pages that are wanted elsewhere and stay although their residence is over, with the time
    /// at which they go whatever happens.
    stays: BTreeMap<PageNo, u64>,
    /// Of those, pages for which it has changed whether a thread needs them; empty between steps.
    doubts: BTreeSet<PageNo>,
}

impl Progress {
    /// `thread` waits for `page`. Its last pages are forgotten when they are older than `patience_ns`.
    pub(super) fn want(&mut self, thread: u32, page: PageNo, now_ns: u64, patience_ns: u64) {
        let threads = self.wanted.entry(page).or_default();
        if patience_ns > 0 {
            threads.insert(thread);
            self.doubt(thread);
            let steps = self.steps(thread, now_ns, patience_ns);
            steps.pages.retain(|&before| before != page);
            steps.waits = Some(page);
            steps.run = Run::Yes;
        }
    }

    /// `thread` waited for `page`, which is here already. Without patience nothing stays.
    pub(super) fn resolved(&mut self, thread: u32, page: PageNo, now_ns: u64, patience_ns: u64) {
        if patience_ns > 0 {
            self.doubt(thread);
            self.steps(thread, now_ns, patience_ns).got(page, now_ns);
        }
    }

    /// `page` has come: the other pages of the threads that waited for it.
    pub(super) fn came(&mut self, page: PageNo, now_ns: u64) -> Vec<PageNo> {
        // What it once stayed for was in another tenancy.
        self.stays.remove(&page);
        let mut others = Vec::new();
        for thread in self.wanted.remove(&page).unwrap_or_default() {
            self.doubt(thread);
            if let Some(steps) = self.threads.get_mut(&thread) {
                steps.got(page, now_ns);
                others.extend(steps.pages.iter().filter(|&&before| before != page));
            }
        }
        others
    }

    /// These pages are given away. A thread that waits for nothing has had its turn with all that it
    /// got: what it faults on next belongs to another instruction.
    pub(super) fn gone(&mut self, first: PageNo, count: u16) {
        let gone = first..first.plus(u64::from(count));
        self.stays.retain(|page, _| !gone.contains(page));
        self.threads.retain(|_, steps| {
            let before = steps.pages.len();
            steps.pages.retain(|here| !gone.contains(here));
            if steps.waits.is_none() && steps.pages.len() < before {
                self.doubts.extend(steps.pages.drain(..));
            }
            !steps.pages.is_empty() || steps.waits.is_some()
        });
    }

    /// `thread` has done something since it touched its pages, which need not stay for it any more.
    pub(super) fn retired(&mut self, thread: u32) -> Vec<PageNo> {
        let Some(steps) = self.threads.get_mut(&thread).filter(|steps| steps.waits.is_none()) else {
            return Vec::new();
        };
        steps.run = Run::Yes;
        steps.pages.clone()
    }

    /// Whether a thread needs `page`, which has not been asked for elsewhere before.
    pub(super) fn is_needed(&self, page: PageNo, now_ns: u64, patience_ns: u64) -> bool {
        self.threads.values().any(|steps| steps.need(page, now_ns, patience_ns))
    }

    /// The driver says that `thread` has run; whether it was asked.
    pub(super) fn ran(&mut self, thread: u32) -> bool {
        let steps = self.threads.get_mut(&thread).filter(|steps| steps.run == Run::Watched);
        steps.map(|steps| steps.run = Run::Yes).is_some()
    }

    /// What `thread` needs is about to change.
    fn doubt(&mut self, thread: u32) {
        self.doubts.extend(self.staying(thread));
    }

    /// Pages that stay, and for which that is to be decided again.
    pub(super) fn doubts(&mut self) -> Vec<PageNo> {
        let doubts = core::mem::take(&mut self.doubts);
        doubts.into_iter().filter(|page| self.stays.contains_key(page)).collect()
    }

    /// The pages of `thread` that stay, perhaps for it.
    pub(super) fn staying(&self, thread: u32) -> Vec<PageNo> {
        let pages = self.threads.get(&thread).map(|steps| &steps.pages[..]).unwrap_or_default();
        pages.iter().copied().filter(|page| self.stays.contains_key(page)).collect()
    }

    /// Until when `page`, whose residence is over, stays, at most for `patience_ns`; or it goes.
    pub(super) fn stay(
        &mut self,
        page: PageNo,
        now_ns: u64,
        patience_ns: u64,
        out: &mut Vec<Output>,
    ) -> Option<u64> {
        let most_ns = now_ns.saturating_add(patience_ns);
        let until_ns = self.stays.remove(&page).unwrap_or(most_ns);
        if now_ns >= until_ns {
            return None;
        }
        let mut needed = false;
        for (&thread, steps) in &mut self.threads {
            if steps.need(page, now_ns, patience_ns) {
                needed = true;
                if steps.run == Run::Unknown {
                    steps.run = Run::Watched;
                    out.push(Output::Watch { thread });
                }
            }
        }
        if needed {
            self.stays.insert(page, until_ns);
        }
        needed.then_some(until_ns)
    }

    /// When `page` goes whatever happens, if it stays longer.
    pub(super) fn stays_until(&self, page: PageNo) -> Option<u64> {
        self.stays.get(&page).copied()
    }

    /// How many pages threads of this node wait for.
    pub(super) fn waiting(&self) -> usize {
        self.wanted.len()
    }

    /// What `thread` got last, unless that is long ago.
    fn steps(&mut self, thread: u32, now_ns: u64, patience_ns: u64) -> &mut Steps {
        let old = |steps: &Steps| steps.waits.is_none() && now_ns.saturating_sub(steps.last_ns) > patience_ns;
        if self.threads.len() >= THREADS_MIN && !self.threads.contains_key(&thread) {
            self.threads.retain(|_, steps| !old(steps));
        }
        let new = || Steps { pages: Vec::new(), last_ns: now_ns, waits: None, run: Run::Yes };
        let steps = self.threads.entry(thread).or_insert_with(new);
        if old(steps) {
            *steps = new();
        }
        steps
    }
}
