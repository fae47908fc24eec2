//! Which parts of the striped range are in use: node 0's books. Pure arithmetic on chunks.

use std::collections::BTreeMap;

/// Free and live parts, by first chunk. A part that is in neither is on its way from one to the other.
#[derive(Debug)]
pub(super) struct Ranges {
    free: BTreeMap<u64, u64>,
    live: BTreeMap<u64, u64>,
    stripe: u64,
    nodes: u64,
}

impl Ranges {
    /// `chunks` free chunks, of which `stripe` in a row have one home, in turn over `nodes` nodes.
    pub(super) fn new(chunks: u64, stripe: u64, nodes: u64) -> Ranges {
        let free = if chunks == 0 { BTreeMap::new() } else { BTreeMap::from([(0, chunks)]) };
        Ranges { free, live: BTreeMap::new(), stripe, nodes }
    }

    /// Where a part of `len` chunks fits: at the start of each free part, and further on where it has
    /// other homes.
    pub(super) fn candidates(&self, len: u64) -> Vec<u64> {
        let most = 4 * self.nodes as usize;
        let starts = |(&start, &free): (&u64, &u64)| {
            let stripes = (start / self.stripe + 1..).take(self.nodes as usize - 1);
            let further = stripes.map(|stripe| stripe * self.stripe);
            core::iter::once(start).chain(further).filter(move |at| at + len <= start + free)
        };
        self.free
            .iter()
            .flat_map(|(start, free)| starts((start, free)).collect::<Vec<_>>())
            .take(most)
            .collect()
    }

    /// How many of these chunks each node is the home of.
    pub(super) fn shares(&self, start: u64, len: u64) -> Vec<u64> {
        let mut shares = vec![0; self.nodes as usize];
        for (home, from, to) in self.stripes(start, len) {
            shares[home as usize] += to - from;
        }
        shares
    }

    /// The parts of a range that have one home: home, first chunk, end.
    pub(super) fn stripes(&self, start: u64, len: u64) -> impl Iterator<Item = (u64, u64, u64)> {
        let (stripe, nodes) = (self.stripe, self.nodes);
        (start / stripe..(start + len).div_ceil(stripe)).map(move |number| {
            let from = start.max(number * stripe);
            let to = (start + len).min((number + 1) * stripe);
            (number % nodes, from, to)
        })
    }

    /// Makes free chunks live.
    pub(super) fn take(&mut self, start: u64, len: u64) {
        self.cut(start, len);
        self.live.insert(start, len);
    }

    /// The length of the live part at `start`.
    pub(super) fn live(&self, start: u64) -> Option<u64> {
        self.live.get(&start).copied()
    }

    /// Whether the `len` chunks at `start` are free.
    pub(super) fn is_free(&self, start: u64, len: u64) -> bool {
        self.free.range(..=start).next_back().is_some_and(|(at, free)| start + len <= at + free)
    }

    /// Makes a live part longer by the free chunks behind it.
    pub(super) fn lengthen(&mut self, start: u64, len: u64) {
        let old = self.live.insert(start, len).unwrap_or(len);
        self.cut(start + old, len - old);
    }

    /// Ends a live part, or what of it lies behind `len` chunks. The chunks are free after [`Ranges::give`].
    pub(super) fn shorten(&mut self, start: u64, len: u64) {
        if len == 0 {
            self.live.remove(&start);
        } else {
            self.live.insert(start, len);
        }
    }

    /// Makes chunks free that were cut off.
    pub(super) fn give(&mut self, mut start: u64, mut len: u64) {
        if let Some((&before, &free)) = self.free.range(..start).next_back()
            && before + free == start
        {
            self.free.remove(&before);
            (start, len) = (before, free + len);
        }
        if let Some(free) = self.free.remove(&(start + len)) {
            len += free;
        }
        self.free.insert(start, len);
    }

    /// Takes chunks out of the free part that holds them.
    fn cut(&mut self, start: u64, len: u64) {
        let Some((&at, &free)) = self.free.range(..=start).next_back() else { return };
        assert!(start + len <= at + free, "HEAP-3: chunk {start} and {len} more are not free");
        self.free.remove(&at);
        if start > at {
            self.free.insert(at, start - at);
        }
        if at + free > start + len {
            self.free.insert(start + len, at + free - start - len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_taken_cut_and_merged() {
        let mut ranges = Ranges::new(100, 2, 3);
        ranges.take(0, 10);
        ranges.take(20, 10);
        assert_eq!((ranges.live(0), ranges.live(20), ranges.live(10)), (Some(10), Some(10), None));
        assert!(ranges.is_free(10, 10) && !ranges.is_free(10, 11) && !ranges.is_free(29, 1));
        ranges.lengthen(0, 20);
        assert_eq!(ranges.live(0), Some(20));
        assert!(!ranges.is_free(19, 1));
        ranges.shorten(0, 5);
        assert!(!ranges.is_free(5, 1), "not before its memory is back");
        ranges.give(5, 15);
        ranges.shorten(20, 0);
        ranges.give(20, 10);
        ranges.shorten(0, 0);
        ranges.give(0, 5);
        assert!(ranges.is_free(0, 100));
        assert_eq!(ranges.free.len(), 1);
    }

    #[test]
    fn shares_count_the_chunks_of_each_home() {
        let ranges = Ranges::new(100, 2, 3);
        assert_eq!(ranges.shares(0, 6), [2, 2, 2]);
        assert_eq!(ranges.shares(1, 4), [1, 2, 1]);
        assert_eq!(ranges.shares(6, 3), [2, 1, 0]);
        assert_eq!(ranges.shares(0, 100).iter().sum::<u64>(), 100);
    }

    #[test]
    fn a_small_part_can_begin_at_any_home() {
        let mut ranges = Ranges::new(100, 4, 3);
        ranges.take(0, 1);
        let homes: Vec<_> = ranges
            .candidates(1)
            .iter()
            .map(|at| ranges.shares(*at, 1).iter().position(|n| *n == 1))
            .collect();
        assert_eq!(homes, [Some(0), Some(1), Some(2)]);
        assert_eq!(ranges.candidates(99), [1]);
        assert_eq!(ranges.candidates(100), []);
    }
}
