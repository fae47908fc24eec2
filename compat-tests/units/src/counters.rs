//! What this node has sent for its own threads, from the memory that it shares with the launcher.

use std::mem::offset_of;
use std::sync::atomic::{AtomicU64, Ordering};

use dstd::place;
use dstd_control::stats::{KINDS, KINDS_MAX, Sent, Stats};

use crate::block::Block;

/// What a thread makes its node send: for pages that it touches, for words that it waits on or wakes, for threads.
const PAGES: [&str; 3] = ["page_request", "page_fetch", "page_invalidate"];
const OTHERS: [&str; 3] = ["futex_wait", "futex_wake", "ship"];

/// The nodes that a run of units has at most.
const NODES: usize = 64;
/// Where each node has mapped its counters.
static AT: [AtomicU64; NODES] = [const { AtomicU64::new(0) }; NODES];

/// The counters of the calling thread's node, at one moment; 0 where no launcher counts.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counters {
    faults: u64,
    pages: u64,
    others: u64,
}

impl Counters {
    /// Those of now. Touches no heap between the look and the return, and none after it.
    pub(crate) fn now() -> Counters {
        let Some(at) = address() else { return Counters::default() };
        let Ok(block) = Block::at(at) else { return Counters::default() };
        let word = |offset: usize| block.word(offset).unwrap_or(0);
        let sent = |kinds: [&str; 3]| {
            let mut messages = 0;
            for (kind, name) in KINDS.iter().enumerate().take(KINDS_MAX) {
                if kinds.contains(name) {
                    messages += word(offset_of!(Stats, sent) + kind * size_of::<Sent>());
                }
            }
            messages
        };
        let faults = word(offset_of!(Stats, faults_read))
            + word(offset_of!(Stats, faults_write))
            + word(offset_of!(Stats, faults_upgrade));
        Counters { faults, pages: sent(PAGES), others: sent(OTHERS) }
    }

    /// How often the network was used since `before`. A fault may be served without a message, and a page may be asked for on
    /// another node's behalf: what is counted is a fault with a message.
    pub(crate) fn since(self, before: Counters) -> u64 {
        let pages = (self.faults - before.faults).min(self.pages - before.pages);
        pages + self.others - before.others
    }
}

fn address() -> Option<u64> {
    let known = &AT[usize::from(place::here().0)];
    let at = known.load(Ordering::Relaxed);
    if at != 0 {
        return Some(at);
    }
    let at = Block::address()?;
    known.store(at, Ordering::Relaxed);
    Some(at)
}
