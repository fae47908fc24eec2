//! Which threads have run since the page came that they waited for (PAGE-2).
//!
//! *How*: a thread that waits uses no processor time. So its time is read before it is woken,
//! and when that has changed the thread has run.
//! *Who may touch what, when*: only the engine thread calls this.

use std::collections::BTreeMap;

use dstd_addr::{GlobalAddr, PageNo};

use super::faults::Fault;
use crate::raw;

/// So many threads are remembered before those are forgotten that have run.
const WOKEN_MIN: usize = 128;

/// The threads of this node that wait for pages or have been woken from that.
#[derive(Debug)]
pub(crate) struct Runs {
    /// Stopped threads and what they wait for.
    stopped: Vec<(u32, PageNo)>,
    /// What processor time they had when they were woken.
    woken: BTreeMap<u32, u64>,
    /// How many are remembered before those are looked through.
    woken_max: usize,
    watched: Vec<Watched>,
    /// How long the page engine waits for an answer.
    patience_ns: u64,
}

/// A thread that the page engine asks about.
#[derive(Debug)]
struct Watched {
    thread: u32,
    /// Whether it had not run when it was asked about.
    late: bool,
    since_ns: u64,
}

impl Runs {
    /// For a page engine that does not care any more after `patience_ns`.
    pub(crate) fn new(patience_ns: u64) -> Runs {
        Runs {
            stopped: Vec::new(),
            woken: BTreeMap::new(),
            woken_max: WOKEN_MIN,
            watched: Vec::new(),
            patience_ns,
        }
    }

    /// A thread waits for a page. Of faults that are told together all are told before the first is
    /// served: to serve one may wake threads whose fault comes later.
    pub(crate) fn stopped(&mut self, fault: Fault) {
        self.watched.retain(|watched| watched.thread != fault.thread);
        self.woken.remove(&fault.thread);
        self.stopped.retain(|&(thread, _)| thread != fault.thread);
        self.stopped.push((fault.thread, GlobalAddr(fault.address).page()));
    }

    /// Before the threads are woken that wait for these pages.
    pub(crate) fn wakes(&mut self, first: PageNo, count: u32) {
        let pages = first..first.plus(u64::from(count));
        self.stopped.retain(|&(thread, page)| {
            let wakes = pages.contains(&page);
            if wakes && let Some(time) = raw::processor_ns(thread) {
                self.woken.insert(thread, time);
            }
            !wakes
        });
        if self.woken.len() > self.woken_max {
            self.woken.retain(|&thread, &mut time| raw::processor_ns(thread) == Some(time));
            self.woken_max = WOKEN_MIN.max(2 * self.woken.len());
        }
    }

    /// The page engine asks when `thread` has run.
    pub(crate) fn watch(&mut self, thread: u32) {
        let late = self.waits(thread);
        self.watched.push(Watched { thread, late, since_ns: raw::now_ns() });
    }

    /// Whether `thread` has not run since it was woken.
    fn waits(&self, thread: u32) -> bool {
        self.woken.get(&thread).is_some_and(|&time| raw::processor_ns(thread) == Some(time))
    }

    /// Whether the page engine asks about anybody.
    pub(crate) fn is_watching(&self) -> bool {
        !self.watched.is_empty()
    }

    /// Those of the threads asked about that have run, or are no more, or that nobody waits for any longer;
    /// and whether they had not run when they were asked about.
    pub(crate) fn answers(&mut self) -> Vec<(u32, bool)> {
        let now_ns = raw::now_ns();
        let watched = core::mem::take(&mut self.watched);
        let (wait, answers) = watched.into_iter().partition(|&Watched { thread, since_ns, .. }| {
            now_ns.saturating_sub(since_ns) < self.patience_ns && self.waits(thread)
        });
        self.watched = wait;
        let answers: Vec<Watched> = answers;
        answers.into_iter().map(|Watched { thread, late, .. }| (thread, late)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    const PAGE: u64 = 0x1000_0000_0000;

    fn fault(thread: u32) -> Fault {
        Fault { address: PAGE + 8, write: true, thread, at: None }
    }

    /// A thread was stopped and is woken.
    fn woken(patience_ns: u64, thread: u32) -> Runs {
        let mut runs = Runs::new(patience_ns);
        runs.stopped(fault(thread));
        runs.wakes(GlobalAddr(PAGE).page(), 1);
        runs
    }

    #[test]
    fn a_thread_has_run_when_it_has_used_its_processor() {
        let (wake, sleep) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            tell.send(raw::thread()).unwrap();
            sleep.recv().unwrap();
        });
        let number = told.recv().unwrap();
        // Until it sleeps.
        while thread_state(number) != 'S' {
            thread::yield_now();
        }
        let mut runs = woken(u64::MAX, number);
        runs.watch(number);
        assert_eq!((runs.answers(), runs.is_watching()), (vec![], true));
        // Nobody cares any more.
        let mut short = woken(0, number);
        short.watch(number);
        assert_eq!((short.answers(), short.is_watching()), (vec![(number, true)], false));
        wake.send(()).unwrap();
        let ran = loop {
            let answers = runs.answers();
            if !answers.is_empty() {
                break answers;
            }
        };
        assert_eq!((ran, runs.is_watching()), (vec![(number, true)], false));
        runs.watch(number);
        assert_eq!(runs.answers(), [(number, false)]);
        thread.join().unwrap();
    }

    #[test]
    fn who_is_no_more_or_was_never_stopped_has_run() {
        let number = thread::spawn(raw::thread).join().unwrap();
        let mut runs = woken(u64::MAX, number);
        for thread in [number, raw::thread()] {
            runs.watch(thread);
            assert_eq!(runs.answers(), [(thread, false)]);
        }
    }

    #[test]
    fn who_stops_again_is_not_asked_about_any_more() {
        let mut runs = Runs::new(u64::MAX);
        runs.watch(7);
        runs.stopped(fault(7));
        assert!(!runs.is_watching());
    }

    fn thread_state(thread: u32) -> char {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap();
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap()
    }
}
