//! What is printed at the end: the result on stdout, who did what on stderr.

use super::collect::{Collected, Fnv};
use super::count::Counted;
use dstd::collections::BTreeMap;
use dstd::fmt::Write as _;
use dstd::io::{self, Write as _};

/// Prints the work of each node to stderr.
pub(crate) fn work(counted: &[Counted], collected: &[Collected]) {
    #[derive(Default)]
    struct Work {
        counters: usize,
        chunks: usize,
        bytes: usize,
        collectors: usize,
        words: usize,
    }
    let mut nodes: BTreeMap<_, Work> = BTreeMap::new();
    for thread in counted {
        let work = nodes.entry(thread.node).or_default();
        work.counters += 1;
        work.chunks += thread.chunks;
        work.bytes += thread.bytes;
    }
    for thread in collected {
        let work = nodes.entry(thread.node).or_default();
        work.collectors += 1;
        work.words += thread.words.len();
    }
    for (node, work) in nodes {
        eprintln!(
            "node {node}: {} chunks, {} bytes counted by {} threads; {} words collected by {} threads",
            work.chunks, work.bytes, work.counters, work.words, work.collectors
        );
    }
}

/// Prints the `top` most frequent words, the totals and a checksum of the index to stdout.
pub(crate) fn result(collected: &[Collected], top: usize) -> io::Result<()> {
    io::stdout().lock().write_all(text(collected, top).as_bytes())
}

/// The result depends on the index alone, not on how many threads have collected it.
fn text(collected: &[Collected], top: usize) -> String {
    let mut words: Vec<_> = collected.iter().flat_map(|part| part.words.iter()).collect();
    words.sort_unstable_by_key(|(word, _)| *word);
    let mut checksum = Fnv::new();
    for (word, row) in &words {
        checksum.write(word.as_bytes());
        checksum.write(&row.count.to_le_bytes());
        checksum.write(&row.lines_hash.to_le_bytes());
    }
    let (distinct, total) = (words.len(), words.iter().map(|(_, row)| row.count).sum::<u64>());
    // Stable, so that words of one count stay in their alphabetical order.
    words.sort_by_key(|(_, row)| u64::MAX - row.count);

    let mut text = String::new();
    for (word, row) in words.iter().take(top) {
        writeln!(text, "{:10} {word}", row.count).expect("a String takes everything");
    }
    writeln!(text, "{distinct} distinct words, {total} in all").expect("a String takes everything");
    writeln!(text, "index checksum {:016x}", checksum.0).expect("a String takes everything");
    text
}

#[cfg(test)]
mod tests {
    use super::super::collect::Word;
    use super::super::table::Table;
    use super::*;

    fn part(words: &[(&str, u64)]) -> Collected {
        let mut table = Table::new();
        for (word, count) in words {
            table.push(word, Word { count: *count, lines_hash: *count });
        }
        Collected { node: dstd::place::here(), words: table }
    }

    #[test]
    fn the_text_does_not_depend_on_the_parts() {
        let one = text(&[part(&[("a", 1), ("c", 2), ("b", 2), ("d", 1)])], 3);
        let two = text(&[part(&[("d", 1), ("b", 2)]), part(&[]), part(&[("c", 2), ("a", 1)])], 3);
        assert_eq!(one, two);
        let lines: Vec<_> = one.lines().collect();
        assert_eq!(
            lines[..4],
            ["         2 b", "         2 c", "         1 a", "4 distinct words, 6 in all"]
        );
        assert_ne!(one, text(&[part(&[("a", 1), ("c", 2), ("b", 2), ("e", 1)])], 3));
    }
}
