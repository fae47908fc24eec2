//! Random numbers that can be replayed, and a random workload on atomics.

use dstd::sync::Arc;
use dstd::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cluster;

const WORDS: usize = 4_096;
const STEPS: u64 = 30_000;

/// xorshift64*.
#[derive(Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// The generator of thread `stream` of a run.
    pub(crate) fn new(seed: u64, stream: u64) -> Rng {
        let mut rng = Rng(seed.wrapping_add(stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1);
        rng.next();
        rng.next();
        rng
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    /// Spends a time between nothing and some hundred microseconds, each magnitude as often.
    pub(crate) fn jitter(&mut self) {
        let magnitude = self.below(17);
        for _ in 0..self.below(1 << magnitude) {
            std::hint::spin_loop();
        }
    }

    /// As [`Rng::jitter`] every second time, and nothing else.
    pub(crate) fn jitter_at_times(&mut self) {
        if self.below(2) == 0 {
            self.jitter();
        }
    }
}

/// The seed of this run: `DSTD_TEST_SEED`, or a new one. It is printed with the way to replay it.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("DSTD_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
        now.as_nanos() as u64 >> 8
    });
    let name = std::env::args().nth(1).unwrap_or_default();
    eprintln!("seed {seed}; replay with DSTD_TEST_SEED={seed} and `scenarios {name}`");
    seed
}

/// Random adds, exchanges and loads on pages of atomics: counters are exact, and no thread sees
/// one of them run backwards.
pub(crate) fn atomics() -> String {
    let seed = seed();
    let words: Arc<Vec<AtomicU64>> = Arc::new((0..WORDS).map(|_| AtomicU64::new(0)).collect());
    let threads: Vec<_> = (0..2 * cluster::size())
        .map(|i| {
            let words = Arc::clone(&words);
            cluster::spawn(i, move || work(&words, Rng::new(seed, i as u64)))
        })
        .collect();
    let mut expected = vec![0; WORDS];
    for thread in threads {
        for (sum, added) in expected.iter_mut().zip(thread.join().unwrap()) {
            *sum += added;
        }
    }
    let found: Vec<u64> = words.iter().map(|word| word.load(SeqCst)).collect();
    assert_eq!(found, expected);
    format!("{} additions", found.iter().sum::<u64>())
}

fn work(words: &[AtomicU64], mut rng: Rng) -> Vec<u64> {
    let mut added = vec![0; WORDS];
    let mut seen = vec![0; WORDS];
    for step in 0..STEPS {
        cluster::pause(step, 64);
        let at = rng.below(WORDS as u64) as usize;
        let now = match rng.below(3) {
            0 => {
                added[at] += 1;
                words[at].fetch_add(1, SeqCst) + 1
            }
            1 => {
                let before = words[at].load(SeqCst);
                match words[at].compare_exchange(before, before + 2, SeqCst, SeqCst) {
                    Ok(_) => {
                        added[at] += 2;
                        before + 2
                    }
                    Err(other) => other,
                }
            }
            _ => words[at].load(SeqCst),
        };
        assert!(now >= seen[at], "word {at} ran backwards: {} then {now}", seen[at]);
        seen[at] = now;
    }
    added
}
