//! Discards under way: who is to be told when their pages are fresh.

use std::collections::BTreeMap;

use dstd_addr::PageNo;

/// Told on the engine thread.
pub(super) type Done = fn(first: PageNo, count: u32);

#[derive(Default, Debug)]
pub(super) struct Discards {
    next: u64,
    under_way: BTreeMap<u64, (PageNo, u32, Done)>,
}

impl Discards {
    /// Notes a discard; returns its token.
    pub(super) fn begin(&mut self, first: PageNo, count: u32, done: Done) -> u64 {
        self.next += 1;
        self.under_way.insert(self.next, (first, count, done));
        self.next
    }

    /// Tells whoever asked for `token`.
    pub(super) fn end(&mut self, token: u64) {
        if let Some((first, count, done)) = self.under_way.remove(&token) {
            done(first, count);
        }
    }
}
