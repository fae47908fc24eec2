//! Who waits, from other nodes, for the futex words at home here.

use std::collections::{BTreeMap, VecDeque};

use dstd_addr::{GlobalAddr, NodeId};

/// A remote thread in a queue.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Waiter {
    pub(super) node: NodeId,
    pub(super) token: u64,
    pub(super) bitset: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
struct Queue {
    waiters: VecDeque<Waiter>,
    table_next: bool,
}

/// The wait queues; an address nobody waits for has no queue.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct Table {
    queues: BTreeMap<GlobalAddr, Queue>,
    waiters: u64,
}

impl Table {
    /// How many waiters there are in all queues.
    pub(super) fn waiters(&self) -> u64 {
        self.waiters
    }

    /// Queues a waiter, or says `false` when it is queued there already.
    pub(super) fn insert(&mut self, addr: GlobalAddr, waiter: Waiter) -> bool {
        let queue = &mut self.queues.entry(addr).or_default().waiters;
        if queue.iter().any(|other| (other.node, other.token) == (waiter.node, waiter.token)) {
            return false;
        }
        queue.push_back(waiter);
        self.waiters += 1;
        true
    }

    /// Takes a waiter out; says whether it was there.
    pub(super) fn remove(&mut self, addr: GlobalAddr, node: NodeId, token: u64) -> bool {
        let Some(queue) = self.queues.get_mut(&addr) else { return false };
        let before = queue.waiters.len();
        queue.waiters.retain(|waiter| (waiter.node, waiter.token) != (node, token));
        let removed = queue.waiters.len() < before;
        self.waiters -= u64::from(removed);
        self.forget_if_empty(addr);
        removed
    }

    /// Whether a wake of `addr` begins here rather than in the kernel: in turn, as long as
    /// somebody waits here.
    pub(super) fn goes_first(&mut self, addr: GlobalAddr) -> bool {
        let Some(queue) = self.queues.get_mut(&addr) else { return false };
        let first = queue.table_next;
        queue.table_next = !first;
        first
    }

    /// Takes out up to `count` waiters that `bitset` reaches, the oldest first.
    pub(super) fn take(&mut self, addr: GlobalAddr, count: u32, bitset: u32) -> Vec<Waiter> {
        let mut taken = Vec::new();
        if let Some(queue) = self.queues.get_mut(&addr) {
            queue.waiters.retain(|waiter| {
                let take = (taken.len() as u64) < u64::from(count) && waiter.bitset & bitset != 0;
                if take {
                    taken.push(*waiter);
                }
                !take
            });
            self.waiters -= taken.len() as u64;
            self.forget_if_empty(addr);
        }
        taken
    }

    fn forget_if_empty(&mut self, addr: GlobalAddr) {
        if self.queues.get(&addr).is_some_and(|queue| queue.waiters.is_empty()) {
            self.queues.remove(&addr);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: GlobalAddr = GlobalAddr(0x1000);

    fn waiter(token: u64, bitset: u32) -> Waiter {
        Waiter { node: NodeId(1), token, bitset }
    }

    fn tokens(waiters: &[Waiter]) -> Vec<u64> {
        waiters.iter().map(|waiter| waiter.token).collect()
    }

    #[test]
    fn the_oldest_matching_waiters_leave_first() {
        let mut table = Table::default();
        for (token, bitset) in [(1, 1), (2, 2), (3, 3), (4, 1)] {
            assert!(table.insert(A, waiter(token, bitset)));
        }
        assert!(!table.insert(A, waiter(2, 2)));
        assert_eq!(table.take(A, 0, u32::MAX), []);
        assert_eq!(tokens(&table.take(A, 2, 1)), [1, 3]);
        assert_eq!(tokens(&table.take(A, u32::MAX, u32::MAX)), [2, 4]);
        assert_eq!(table, Table::default());
    }

    #[test]
    fn empty_queues_leave_nothing_behind() {
        let mut table = Table::default();
        assert!(table.insert(A, waiter(1, 1)));
        assert!(!table.remove(A, NodeId(2), 1));
        assert!(table.remove(A, NodeId(1), 1));
        assert!(!table.remove(A, NodeId(1), 1));
        assert_eq!(table, Table::default());
    }

    #[test]
    fn table_and_kernel_take_turns() {
        let mut table = Table::default();
        assert!(!table.goes_first(A));
        assert!(table.insert(A, waiter(1, 1)));
        assert_eq!([0; 4].map(|_| table.goes_first(A)), [false, true, false, true]);
    }
}
