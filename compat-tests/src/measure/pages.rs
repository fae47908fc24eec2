//! Pages and large buffers that another node has made, read and overwritten here.

use std::hint::black_box;

use dstd::place::{self, NodeId};
use dstd::sync::atomic::{AtomicU64, Ordering};

use crate::single::Numbers;
use crate::timed;

/// Words of a page.
pub(crate) const PAGE_WORDS: usize = 4_096 / 8;
const PAGES: usize = 1_024;
const ROUNDS: usize = 3;

/// What a buffer contains: other words than every buffer before it, and another one in each place.
#[derive(Clone, Copy)]
pub(crate) struct Contents(u64);

impl Contents {
    fn new() -> Contents {
        static BUFFERS: AtomicU64 = AtomicU64::new(1);
        // No buffer has so many words.
        Contents(BUFFERS.fetch_add(1, Ordering::Relaxed) << 26)
    }

    fn word(self, at: usize) -> u64 {
        self.0 + at as u64
    }

    fn fill(self, words: &mut [u64]) {
        (0..).zip(words).for_each(|(at, word)| *word = self.word(at));
    }

    fn sum(self, len: usize) -> u64 {
        let len = len as u64;
        len * self.0 + len * (len - 1) / 2
    }

    /// Looks at every word.
    fn check(self, words: &[u64]) {
        let wrong = (0..).zip(words).find(|&(at, word)| *word != self.word(at));
        assert!(wrong.is_none(), "not {:#x} and the index: {wrong:x?}", self.0);
    }
}

/// A buffer of so many words that a node of choice has made.
type Maker = fn(NodeId, usize, Contents) -> Vec<u64>;

/// A buffer of the other node.
pub(crate) fn made_there(other: NodeId, len: usize, contents: Contents) -> Vec<u64> {
    place::call(other, move || (0..len).map(|at| contents.word(at)).collect())
}

/// A buffer of this node that the other one has overwritten.
pub(crate) fn overwritten_there(other: NodeId, len: usize, contents: Contents) -> Vec<u64> {
    overwritten(vec![u64::MAX; len], other, contents)
}

/// A buffer of the second node that the other one, which is a third one, has overwritten.
pub(crate) fn made_at_second(other: NodeId, len: usize, contents: Contents) -> Vec<u64> {
    let home = place::nodes().nth(1).expect("there are three nodes");
    overwritten(place::call(home, move || vec![u64::MAX; len]), other, contents)
}

fn overwritten(mut words: Vec<u64>, by: NodeId, contents: Contents) -> Vec<u64> {
    place::call(by, move || {
        contents.fill(&mut words);
        words
    })
}

/// Reads a word of each page for the first time.
pub(crate) fn touch(other: NodeId, make: Maker) -> Vec<f64> {
    let contents = Contents::new();
    let pages = make(other, PAGES * PAGE_WORDS, contents);
    let times = first_accesses(|at| assert_eq!(black_box(&pages)[at], contents.word(at)));
    contents.check(&pages);
    times
}

/// Writes a word of each page that this node has not seen; the other node then finds these words, and the rest as it was.
pub(crate) fn overwrite_words(other: NodeId, make: Maker) -> Vec<f64> {
    let (before, after) = (Contents::new(), Contents::new());
    let mut pages = make(other, PAGES * PAGE_WORDS, before);
    let times = first_accesses(|at| pages[at] = black_box(after.word(at)));
    place::call(other, move || {
        let mut expected = vec![0; pages.len()];
        before.fill(&mut expected);
        (0..pages.len()).step_by(PAGE_WORDS).for_each(|at| expected[at] = after.word(at));
        assert!(pages == expected, "the other node does not find what was written");
    });
    times
}

/// Times the first access to each page, in an order that no read-ahead foretells: not even equal steps.
fn first_accesses(mut access: impl FnMut(usize)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..PAGES).collect();
    let mut numbers = Numbers::new();
    (1..PAGES).for_each(|at| order.swap(at, numbers.below(at + 1)));
    order.into_iter().map(|page| timed(|| access(page * PAGE_WORDS))).collect()
}

/// Reads a large buffer from front to back.
pub(crate) fn read(other: NodeId, len: usize, make: Maker) -> Vec<f64> {
    let round = |_| {
        let contents = Contents::new();
        let words = make(other, len, contents);
        let mut sum = 0;
        let time = timed(|| sum = black_box(&words).iter().sum());
        assert_eq!(sum, contents.sum(len));
        contents.check(&words);
        time
    };
    (0..ROUNDS).map(round).collect()
}

/// Overwrites a large buffer from front to back; the other node then finds what was written.
pub(crate) fn overwrite(other: NodeId, len: usize, make: Maker) -> Vec<f64> {
    let round = |_| {
        let mut words = make(other, len, Contents::new());
        let word = Contents::new().word(0);
        let time = timed(|| black_box(&mut words).fill(black_box(word)));
        // They come back, to be freed by the node that frees them when they were read.
        drop(place::call(other, move || {
            assert!(words.iter().all(|&found| found == word), "the other node does not find {word:#x}");
            words
        }));
        time
    };
    (0..ROUNDS).map(round).collect()
}
