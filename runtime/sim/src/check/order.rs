//! Sequential consistency: every access sees the latest store, in the one order in which
//! accesses retire.

use std::collections::BTreeMap;

use dstd_addr::{GlobalAddr, NodeId, PageNo};

use crate::failure::{Broken, Checked, Rule};
use crate::memory::{WORDS, word};

#[derive(Default, Debug)]
struct Word {
    value: u64,
    writer: Option<(NodeId, u64)>,
}

/// The latest value of every word, as if there were one memory.
#[derive(Default, Debug)]
pub(crate) struct Order {
    words: BTreeMap<GlobalAddr, Word>,
    pub(crate) loads: u64,
    pub(crate) stores: u64,
}

impl Order {
    /// The value that every node has to see.
    pub(crate) fn latest(&self, addr: GlobalAddr) -> u64 {
        self.words.get(&addr).map_or(0, |word| word.value)
    }

    /// A load retires at `node` with `value`.
    pub(crate) fn load(&mut self, node: NodeId, addr: GlobalAddr, value: u64) -> Checked {
        self.loads += 1;
        self.compare(node, addr, value)
    }

    /// A store retires at `node`, which had `before` in its memory.
    pub(crate) fn store(
        &mut self,
        node: NodeId,
        addr: GlobalAddr,
        before: u64,
        after: u64,
        now: u64,
    ) -> Checked {
        self.stores += 1;
        self.compare(node, addr, before)?;
        self.words.insert(addr, Word { value: after, writer: Some((node, now)) });
        Ok(())
    }

    /// `node`, the home, forgets the bytes of a page: a store of zeros to all its words.
    pub(crate) fn forget(&mut self, node: NodeId, page: PageNo, now: u64) {
        for index in 0..WORDS {
            self.words.insert(word(page, index), Word { value: 0, writer: Some((node, now)) });
        }
    }

    fn compare(&self, node: NodeId, addr: GlobalAddr, found: u64) -> Checked {
        let latest = self.latest(addr);
        if latest == found {
            return Ok(());
        }
        let writer = self.words.get(&addr).and_then(|word| word.writer);
        let what = format!("node {node} has {found} at {addr:?}, latest is {latest}, written by {writer:?}");
        Err(Broken::new(Rule::Order, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_store_may_be_seen() {
        let (addr, a, b) = (GlobalAddr(8), NodeId(0), NodeId(1));
        let mut order = Order::default();
        order.load(a, addr, 0).expect("words are born 0");
        order.store(a, addr, 0, 5, 1).expect("it has the latest value");
        order.load(b, addr, 5).expect("it is the latest value");
        assert!(order.load(b, addr, 0).is_err());
        assert!(order.store(b, addr, 0, 6, 2).is_err());
    }
}
