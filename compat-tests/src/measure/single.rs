//! Programs of one node that touch what dstd puts in the place of std's: the allocator, threads, futexes.

use std::collections::hash_map::DefaultHasher;
use std::hash::BuildHasherDefault;
use std::hint::black_box;

use dstd::collections::{BTreeMap, HashMap};
use dstd::sync::mpsc;
use dstd::thread;

use crate::timed;

/// Times a program runs.
const RUNS: usize = 5;

/// Numbers in no order, the same in every run.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new() -> Numbers {
        Numbers(0x9e37_79b9_7f4a_7c15)
    }

    fn next(&mut self) -> u64 {
        // Xorshift, 64 bits.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

fn runs(mut program: impl FnMut()) -> Vec<f64> {
    (0..RUNS).map(|_| timed(&mut program)).collect()
}

/// Blocks that live for a moment, that live long and go in no order, and that grow.
pub(crate) fn alloc() -> Vec<f64> {
    const HELD: usize = 50_000;
    const TURNS: usize = 500_000;
    runs(|| {
        let mut numbers = Numbers::new();
        hot(500_000);
        let sized = |numbers: &mut Numbers| {
            let len = 8 << numbers.below(8);
            vec![len as u8; len].into_boxed_slice()
        };
        let mut held: Vec<Box<[u8]>> = (0..HELD).map(|_| sized(&mut numbers)).collect();
        for _ in 0..TURNS {
            let at = numbers.below(HELD);
            held[at] = sized(&mut numbers);
        }
        assert!(held.iter().all(|block| block.last() == Some(&(block.len() as u8))));
        for len in 0..2_000 {
            let mut grown = Vec::new();
            (0..len).for_each(|at| grown.push(black_box(at)));
            assert_eq!(grown.len(), len);
        }
    })
}

/// A block that is freed as soon as it was allocated.
pub(crate) fn alloc_hot() -> Vec<f64> {
    (0..RUNS).map(|_| timed(|| hot(1_000_000)) / 1_000.0).collect()
}

fn hot(times: u64) {
    for n in 0..times {
        let block = black_box(Box::new([n; 8]));
        assert_eq!(block[7], n);
    }
}

/// A map of trees: inserts, looks up, walks, removes.
pub(crate) fn btree() -> Vec<f64> {
    const ENTRIES: usize = 150_000;
    runs(|| {
        let mut numbers = Numbers::new();
        let mut map: BTreeMap<u64, String> = BTreeMap::new();
        for _ in 0..ENTRIES {
            let key = numbers.next();
            map.insert(key, key.to_string());
        }
        let mut again = Numbers::new();
        assert!((0..ENTRIES).all(|_| map.contains_key(&again.next())));
        assert_eq!(map.values().filter(|text| text.is_empty()).count(), 0);
        let mut again = Numbers::new();
        for _ in 0..ENTRIES / 2 {
            assert!(map.remove(&again.next()).is_some());
        }
        assert_eq!(map.len(), ENTRIES - ENTRIES / 2);
    })
}

/// A hash map from words to where they were seen, as an index of a text has it.
pub(crate) fn hashmap() -> Vec<f64> {
    const WORDS: usize = 400_000;
    const DIFFERENT: usize = 40_000;
    runs(|| {
        let mut numbers = Numbers::new();
        // Every run hashes alike.
        let mut seen: HashMap<String, Vec<u32>, BuildHasherDefault<DefaultHasher>> = HashMap::default();
        for at in 0..WORDS {
            seen.entry(format!("word {}", numbers.below(DIFFERENT))).or_default().push(at as u32);
        }
        assert_eq!(seen.values().map(Vec::len).sum::<usize>(), WORDS);
        seen.retain(|_, places| places.len() % 2 == 0);
        assert!(seen.values().all(|places| places.len() % 2 == 0));
    })
}

/// Boxes through a channel without a bound, words through one with a bound, and each answered through another.
pub(crate) fn channel() -> Vec<f64> {
    const BOXES: u64 = 200_000;
    const WORDS: u64 = 100_000;
    const ANSWERS: u64 = 5_000;
    runs(|| {
        let (sender, receiver) = mpsc::channel();
        let sending = thread::spawn(move || (0..BOXES).for_each(|n| sender.send(Box::new(n)).unwrap()));
        assert!(receiver.iter().map(|number| *number).eq(0..BOXES));
        sending.join().unwrap();

        let (sender, receiver) = mpsc::sync_channel(64);
        let sending = thread::spawn(move || (0..WORDS).for_each(|n| sender.send(n).unwrap()));
        assert!(receiver.iter().eq(0..WORDS));
        sending.join().unwrap();

        let ((ask, asked), (answer, answers)) = (mpsc::channel(), mpsc::channel());
        let answering = thread::spawn(move || asked.iter().for_each(|n| answer.send(n + 1_u64).unwrap()));
        for n in 0..ANSWERS {
            ask.send(n).unwrap();
            assert_eq!(answers.recv(), Ok(n + 1));
        }
        drop(ask);
        answering.join().unwrap();
    })
}
