//! What the page engine decides, carried out: changes of this node's memory, and messages with pages.

use std::sync::atomic::Ordering;

use dstd_addr::{PAGE_BYTES, PageNo};
use dstd_protocol::{Message, page};
use dstd_transport::Outbox;

use super::Engine;
use super::engine::{count_sent, transmit};
use crate::fatal::{self, stop};
use crate::raw;

/// What travels with a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payload {
    None,
    /// The body of the message being processed.
    Received,
    /// Own pages, read through the alias.
    Own {
        first: PageNo,
        count: u16,
    },
    /// A part of `Engine::copies`.
    Copied {
        start: usize,
        len: usize,
    },
}

impl Engine {
    pub(super) fn page(&mut self, out: &mut dyn Outbox, input: page::Input, body: &[u8]) {
        let mut outputs = core::mem::take(&mut self.page_outputs);
        outputs.clear();
        if let Err(violation) = self.pages.step(raw::now_ns(), input, &mut outputs) {
            stop!(fatal::INTERNAL, "page engine: {violation} on {input:?}");
        }
        for output in &outputs {
            self.execute(*output, body);
        }
        self.transmit_outgoing(out, body);
        self.page_outputs = outputs;
        let counts = self.pages.counters();
        let stats = self.context.stats;
        stats.faults_read.store(counts.faults_read, Ordering::Relaxed);
        stats.faults_write.store(counts.faults_write, Ordering::Relaxed);
        stats.faults_upgrade.store(counts.faults_upgrade, Ordering::Relaxed);
        stats.pages_evicted.store(counts.evictions, Ordering::Relaxed);
        stats.pages_discarded.store(counts.discards, Ordering::Relaxed);
    }

    /// Carries out one output. Messages wait until the whole step is done: a receiver that may
    /// write must not hear of it while threads here can still read (PAGE-1).
    fn execute(&mut self, output: page::Output, received: &[u8]) {
        match output {
            page::Output::Send { to, message, body } => {
                let payload = match body {
                    page::Body::None => Payload::None,
                    page::Body::Received => Payload::Received,
                    page::Body::Pages => self.pages_of(message),
                };
                self.outgoing.push((to, message, payload));
            }
            page::Output::Protect { first, count } => self.memory.protect(first, count),
            page::Output::Unmap { first, count } => self.memory.unmap(first, count),
            page::Output::Install { first, count, writable, skip } => {
                let from = usize::from(skip) * PAGE_BYTES as usize;
                let len = usize::from(count) * PAGE_BYTES as usize;
                let Some(bytes) = received.get(from..from + len) else {
                    stop!(fatal::INTERNAL, "XPORT-2: the pages for {first:?} did not come")
                };
                self.runs.wakes(first, count.into());
                self.memory.install(first, count, writable, bytes);
            }
            page::Output::Upgrade { first, count } => {
                self.runs.wakes(first, count.into());
                self.memory.upgrade(first, count);
            }
            page::Output::Resolve { page, writable } => {
                self.runs.wakes(page, 1);
                self.memory.resolve(page, writable);
            }
            page::Output::Fresh { first, count } => {
                self.runs.wakes(first, count);
                self.memory.fresh(first, count);
            }
            page::Output::Watch { thread } => self.runs.watch(thread),
            page::Output::Discarded { token } => self.discards.end(token),
        }
    }

    /// The bytes of the pages that `message` names: where they will still be when the step is
    /// done, or else a copy.
    fn pages_of(&mut self, message: Message) -> Payload {
        let Some((first, count)) = message.pages().filter(|_| message.body_pages() > 0) else {
            stop!(fatal::INTERNAL, "page engine: {message:?} carries no pages")
        };
        if self.memory.outlives_unmap(first) {
            return Payload::Own { first, count };
        }
        // The same pages to two nodes: to who reads them, and to their home.
        if let Some(&(_, before, payload @ Payload::Copied { .. })) = self.outgoing.last()
            && before == message
        {
            return payload;
        }
        let start = self.copies.len();
        self.copies.extend_from_slice(self.memory.bytes(first, count));
        Payload::Copied { start, len: usize::from(count) * PAGE_BYTES as usize }
    }

    fn transmit_outgoing(&mut self, out: &mut dyn Outbox, received: &[u8]) {
        for (to, message, payload) in self.outgoing.drain(..) {
            let bytes = match payload {
                Payload::None => &[],
                Payload::Received => received,
                Payload::Own { first, count } => self.memory.bytes(first, count),
                Payload::Copied { start, len } => &self.copies[start..start + len],
            };
            count_sent(self.context, to, message, bytes.len() as u64);
            transmit(out, to, message, bytes);
        }
        self.copies.clear();
    }
}
