//! Collectors: threads that gather the occurrences of their share of the words into the inverted index.

use super::table::Table;
use dstd::collections::HashMap;
use dstd::hash::{DefaultHasher, Hash, Hasher};
use dstd::place::{self, NodeId};
use dstd::sync::mpsc::{self, Receiver, Sender};
use dstd::thread::{self, JoinHandle};

/// What a counter found, for one collector.
pub(crate) struct Batch {
    pub(crate) found: Table<Found>,
    /// The lines of all words of `found`, one word's after the other's.
    pub(crate) lines: Vec<u32>,
}

/// How often a word was found, and how many of the batch's lines are its.
pub(crate) struct Found {
    pub(crate) count: u64,
    pub(crate) lines: usize,
}

impl Batch {
    pub(crate) fn new() -> Batch {
        Batch { found: Table::new(), lines: Vec::new() }
    }
}

/// A collector's part of the index, without the lines themselves.
pub(crate) struct Collected {
    pub(crate) node: NodeId,
    pub(crate) words: Table<Word>,
}

/// A word of the index.
pub(crate) struct Word {
    pub(crate) count: u64,
    /// A hash of its line numbers in order.
    pub(crate) lines_hash: u64,
}

/// The collector, of so many, to which a word belongs: the same for all counters.
pub(crate) fn shard(word: &str, collectors: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    (hasher.finish() % collectors as u64) as usize
}

/// Starts a collector, which ends when all senders are dropped.
pub(crate) fn start() -> (JoinHandle<Collected>, Sender<Batch>) {
    let (sender, batches) = mpsc::channel();
    (thread::spawn(move || collect(batches)), sender)
}

fn collect(batches: Receiver<Batch>) -> Collected {
    let mut index: HashMap<String, (u64, Vec<u32>)> = HashMap::new();
    for batch in batches {
        let mut lines = batch.lines.as_slice();
        for (word, found) in batch.found.iter() {
            let (its, rest) = lines.split_at(found.lines);
            lines = rest;
            if !index.contains_key(word) {
                index.insert(word.to_owned(), (0, Vec::new()));
            }
            let entry = index.get_mut(word).expect("it was inserted if it was not there");
            entry.0 += found.count;
            entry.1.extend_from_slice(its);
        }
    }
    let mut words = Table::new();
    for (word, (count, mut lines)) in index {
        // A line is in one chunk and so in one batch: sorting is enough, there are no duplicates.
        lines.sort_unstable();
        words.push(&word, Word { count, lines_hash: hash_lines(&lines) });
    }
    Collected { node: place::here(), words }
}

fn hash_lines(lines: &[u32]) -> u64 {
    let mut hash = Fnv::new();
    for line in lines {
        hash.write(&line.to_le_bytes());
    }
    hash.0
}

/// FNV-1a: one result on every machine, so that checksums can be compared.
pub(crate) struct Fnv(pub(crate) u64);

impl Fnv {
    pub(crate) fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(rows: &[(&str, u64, &[u32])]) -> Batch {
        let mut batch = Batch::new();
        for (word, count, lines) in rows {
            batch.found.push(word, Found { count: *count, lines: lines.len() });
            batch.lines.extend_from_slice(lines);
        }
        batch
    }

    #[test]
    fn batches_in_any_order_give_one_index() {
        let (collector, sender) = start();
        sender.send(batch(&[("b", 1, &[9]), ("a", 3, &[7, 8])])).unwrap();
        sender.send(batch(&[("a", 2, &[1, 2])])).unwrap();
        drop(sender);
        let collected = collector.join().unwrap();
        let mut words: Vec<_> =
            collected.words.iter().map(|(word, row)| (word, row.count, row.lines_hash)).collect();
        words.sort();
        assert_eq!(words, [("a", 5, hash_lines(&[1, 2, 7, 8])), ("b", 1, hash_lines(&[9]))]);
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        let mut hash = Fnv::new();
        hash.write(b"foobar");
        assert_eq!(hash.0, 0x85944171f73967e8);
    }
}
