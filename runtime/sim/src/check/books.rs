//! The books: every question has its answer, every message arrives, every wake is counted.

use dstd_protocol::page::Counters;
use dstd_protocol::{Message, MessageKind};

use crate::failure::{Broken, Checked, Rule};

/// What the world has seen.
#[derive(Default, Debug)]
pub(crate) struct Books {
    pub(crate) sent: [u64; MessageKind::ALL.len()],
    arrived: [u64; MessageKind::ALL.len()],
    /// Pages named by messages, by kind.
    named: [u64; MessageKind::ALL.len()],
    /// What all page engines counted, once the books are closed.
    pub(crate) pages: Counters,
    /// Cancels of waits that a wake had chosen before they reached the home.
    pub(crate) late_cancels: u64,
    /// Cancels that crossed a wake between a thread and its engine.
    pub(crate) crossed_cancels: u64,
    /// Fault events handed to page engines.
    pub(crate) faults: u64,
    /// Threads that a wake reached.
    pub(crate) woken: u64,
    /// Threads that wakers were told they reached.
    pub(crate) reported: u64,
}

impl Books {
    pub(crate) fn send(&mut self, message: &Message, pages: usize) -> Checked {
        self.sent[message.kind() as usize] += 1;
        self.named[message.kind() as usize] += message.pages().map_or(0, |(_, count)| u64::from(count));
        match message {
            Message::FutexWoken { .. } => self.woken += 1,
            Message::FutexWakeDone { woken, .. } => self.reported += u64::from(*woken),
            Message::FutexCancelled { removed: false, .. } => self.late_cancels += 1,
            _ => {}
        }
        equal("pages in the body of a message", message.body_pages().into(), pages as u64)
    }

    pub(crate) fn arrive(&mut self, message: &Message) {
        self.arrived[message.kind() as usize] += 1;
    }

    /// At the end of a run, with the counters of all page engines.
    pub(crate) fn close(&mut self, engines: impl Iterator<Item = Counters>) -> Checked {
        for kind in MessageKind::ALL {
            equal(kind.name(), self.sent[kind as usize], self.arrived[kind as usize])?;
        }
        // A request is answered by its home, or by the owner of the page.
        let answered =
            self.sent[MessageKind::PageGrant as usize] + self.sent[MessageKind::PageInstalled as usize];
        equal("page requests", self.sent[MessageKind::PageRequest as usize], answered)?;
        for (question, answer) in [
            (MessageKind::FutexWait, MessageKind::FutexArmed),
            (MessageKind::FutexCancel, MessageKind::FutexCancelled),
            (MessageKind::FutexWake, MessageKind::FutexWakeDone),
        ] {
            equal(question.name(), self.sent[question as usize], self.sent[answer as usize])?;
        }
        equal("woken threads", self.woken, self.reported)?;
        for counters in engines {
            self.add(counters);
        }
        let pages = &self.pages;
        let faults = pages.faults_read
            + pages.faults_write
            + pages.faults_upgrade
            + pages.faults_resolved
            + pages.faults_joined;
        equal("faults", self.faults, faults)?;
        // A revocation is answered by its answer, or by the eviction that it crossed.
        let named = |kind: MessageKind| self.named[kind as usize];
        let asked = [
            MessageKind::PageFetch,
            MessageKind::PagePass,
            MessageKind::PageInvalidate,
            MessageKind::PageDiscard,
        ];
        let told = [
            MessageKind::PageReturn,
            MessageKind::PageInstalled,
            MessageKind::PageInvalidated,
            MessageKind::PageDiscarded,
        ];
        let answers = told.map(named).iter().sum::<u64>() + pages.evictions_crossed;
        equal("answers to revocations", asked.map(named).iter().sum(), answers)?;
        equal("evictions", named(MessageKind::PageEvict), pages.evictions)?;
        equal("fetches", self.sent[MessageKind::PageFetch as usize], pages.fetches)?;
        equal("passes", self.sent[MessageKind::PagePass as usize], pages.passes)?;
        equal("invalidations", self.sent[MessageKind::PageInvalidate as usize], pages.invalidations)
    }

    fn add(&mut self, counters: Counters) {
        let sum = &mut self.pages;
        sum.faults_read += counters.faults_read;
        sum.faults_write += counters.faults_write;
        sum.faults_upgrade += counters.faults_upgrade;
        sum.faults_resolved += counters.faults_resolved;
        sum.faults_joined += counters.faults_joined;
        sum.pages_ahead += counters.pages_ahead;
        sum.asked_ahead += counters.asked_ahead;
        sum.asked_in_steps += counters.asked_in_steps;
        sum.pages_ungranted += counters.pages_ungranted;
        sum.residence_waits += counters.residence_waits;
        sum.requests_queued += counters.requests_queued;
        sum.taken_ahead += counters.taken_ahead;
        sum.fetches += counters.fetches;
        sum.passes += counters.passes;
        sum.passes_avoided += counters.passes_avoided;
        sum.invalidations += counters.invalidations;
        sum.evictions += counters.evictions;
        sum.evictions_crossed += counters.evictions_crossed;
        sum.discards += counters.discards;
    }
}

fn equal(what: &str, seen: u64, counted: u64) -> Checked {
    if seen == counted {
        return Ok(());
    }
    Err(Broken::new(Rule::Books, format!("{what}: {seen} on one side, {counted} on the other")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_without_an_answer_is_noticed() {
        let mut books = Books::default();
        books.close([].into_iter()).expect("empty books are right");
        let message = Message::FutexWait { addr: dstd_addr::GlobalAddr(0), token: 1, bitset: 1 };
        books.send(&message, 0).expect("it has no body");
        assert!(books.close([].into_iter()).is_err());
        books.arrive(&message);
        assert!(books.close([].into_iter()).is_err());
        books.send(&Message::FutexArmed { token: 1 }, 0).expect("it has no body");
        books.arrive(&Message::FutexArmed { token: 1 });
        books.close([].into_iter()).expect("question and answer");
        assert!(books.send(&message, 1).is_err());
    }
}
