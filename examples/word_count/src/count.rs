//! Counters: threads that take chunks of the text and find where each word occurs.

use super::collect::{Batch, Found, shard};
use super::text::{Chunks, words};
use dstd::collections::HashMap;
use dstd::place::{self, NodeId};
use dstd::sync::Arc;
use dstd::sync::mpsc::Sender;
use dstd::thread::{self, JoinHandle};

/// A counter hands its map over when it holds so many occurrences, so that its memory is bounded (some 16
/// MB) whatever the text.
const OCCURRENCES_MAX: usize = 4 * 1024 * 1024;

/// What a counter did.
pub(crate) struct Counted {
    pub(crate) node: NodeId,
    pub(crate) chunks: usize,
    pub(crate) bytes: usize,
}

/// Starts a counter. It tells `done` the length of each chunk after counting it, and sends what it found to
/// the collector of each word.
pub(crate) fn start(
    text: Arc<Chunks>,
    collectors: Vec<Sender<Batch>>,
    done: Sender<usize>,
) -> JoinHandle<Counted> {
    thread::spawn(move || {
        let mut counted = Counted { node: place::here(), chunks: 0, bytes: 0 };
        let mut counter = Counter::default();
        while let Some((chunk, first_line)) = text.take() {
            counter.count(chunk, first_line);
            if counter.occurrences >= OCCURRENCES_MAX {
                counter.hand_over(&collectors);
            }
            counted.chunks += 1;
            counted.bytes += chunk.len();
            done.send(chunk.len()).expect("main listens until all counters have ended");
        }
        counter.hand_over(&collectors);
        counted
    })
}

/// Occurrences not yet handed over.
#[derive(Default)]
struct Counter {
    words: HashMap<String, Occurrences>,
    occurrences: usize,
}

#[derive(Default)]
struct Occurrences {
    count: u64,
    /// Each line once.
    lines: Vec<u32>,
}

impl Counter {
    fn count(&mut self, chunk: &str, first_line: u32) {
        let mut lower = String::new();
        for (line, number) in chunk.lines().zip(first_line..) {
            for word in words(line) {
                lower.clear();
                lower.extend(word.chars().flat_map(char::to_lowercase));
                // An owned key is made only for the first occurrence.
                if !self.words.contains_key(&lower) {
                    self.words.insert(lower.clone(), Occurrences::default());
                }
                let found = self.words.get_mut(&lower).expect("it was inserted if it was not there");
                found.count += 1;
                if found.lines.last() != Some(&number) {
                    found.lines.push(number);
                }
                self.occurrences += 1;
            }
        }
    }

    /// Sends each collector one batch with its share of the words.
    fn hand_over(&mut self, collectors: &[Sender<Batch>]) {
        let mut batches: Vec<_> = collectors.iter().map(|_| Batch::new()).collect();
        for (word, found) in self.words.drain() {
            let batch = &mut batches[shard(&word, collectors.len())];
            batch.lines.extend_from_slice(&found.lines);
            batch.found.push(&word, Found { count: found.count, lines: found.lines.len() });
        }
        for (collector, batch) in collectors.iter().zip(batches) {
            collector.send(batch).expect("collectors listen until all counters have ended");
        }
        self.occurrences = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_listed_once_and_every_occurrence_counted() {
        let mut counter = Counter::default();
        counter.count("the THE\nend the", 7);
        counter.count("the", 20);
        let the = &counter.words["the"];
        assert_eq!((the.count, the.lines.as_slice()), (4, &[7, 8, 20][..]));
        assert_eq!(counter.words["end"].lines, [8]);
        assert_eq!(counter.occurrences, 5);
    }
}
