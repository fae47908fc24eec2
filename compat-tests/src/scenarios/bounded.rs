//! A node uses more of another one's memory than it may keep.

use dstd::fs;
use std::hint::black_box;

use crate::cluster;

const PAGE_WORDS: usize = 4_096 / 8;
const WORDS: usize = (64 << 20) / 8;

/// The last node walks through 64 MiB of the first: it writes all, reads all, and changes some words
/// here and there. Says how much more memory than before it had at most (KiB).
pub(crate) fn foreign_stream() -> String {
    let words = vec![0_u64; WORDS];
    let (words, grown) = cluster::spawn(cluster::size() - 1, move || stream(words)).join().unwrap();
    for (k, word) in words.iter().enumerate() {
        assert_eq!(*word, value(k), "word {k}");
    }
    format!("grown {grown} KiB")
}

fn stream(mut words: Vec<u64>) -> (Vec<u64>, u64) {
    let before = resident();
    let mut most = before;
    for (k, word) in words.iter_mut().enumerate() {
        *word = value(k);
        if k % (WORDS / 64) == 0 {
            most = most.max(resident());
        }
    }
    let mut sum = 0_u64;
    for (k, word) in words.iter().enumerate() {
        sum = sum.wrapping_add(*word);
        if k % (WORDS / 64) == 0 {
            most = most.max(resident());
        }
    }
    assert_eq!(sum, (0..WORDS).fold(0, |sum: u64, k| sum.wrapping_add(value(k))));
    let mut k = 12_345_usize;
    for _ in 0..2_000 {
        k = (k * 1_103_515_245 + 12_345) % (WORDS - PAGE_WORDS);
        // Two words of neighbouring pages change places and back.
        let (low, high) = words[k..=k + PAGE_WORDS].split_at_mut(PAGE_WORDS);
        core::mem::swap(black_box(&mut low[0]), black_box(&mut high[0]));
        core::mem::swap(black_box(&mut low[0]), black_box(&mut high[0]));
    }
    (words, most.max(resident()) - before)
}

fn value(k: usize) -> u64 {
    (k as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The memory that this process has (KiB).
fn resident() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4
}
