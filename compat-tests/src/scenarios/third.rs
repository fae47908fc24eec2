//! Pages whose home, writer and reader are three nodes.

use std::hint::black_box;

use crate::cluster;

const PAGE_WORDS: usize = 4_096 / 8;

/// Pages of node 1 that node 2 writes: node 0 reads each, and when node 2 has written it again writes it too. So many
/// pages as the next argument says.
pub(crate) fn parties() -> String {
    let pages: usize = std::env::args().nth(2).map_or(100, |word| word.parse().unwrap());
    let words = cluster::spawn(1, move || vec![0_u64; pages * PAGE_WORDS]).join().unwrap();
    let mut words = written(words, 1);
    let read = words.iter().step_by(PAGE_WORDS).map(|word| *black_box(word)).collect::<Vec<_>>();
    assert_eq!(read, (1..=pages as u64).collect::<Vec<_>>());
    words = written(words, 2);
    for word in words.iter_mut().skip(1).step_by(PAGE_WORDS) {
        *black_box(word) = 7;
    }
    for (page, words) in words.chunks(PAGE_WORDS).enumerate() {
        assert_eq!(words[..3], [2 * (page as u64 + 1), 7, 0]);
    }
    format!("{pages} pages")
}

/// Node 2 writes a word of each page.
fn written(mut words: Vec<u64>, factor: u64) -> Vec<u64> {
    cluster::spawn(2, move || {
        for (page, word) in words.iter_mut().step_by(PAGE_WORDS).enumerate() {
            *black_box(word) = factor * (page as u64 + 1);
        }
        words
    })
    .join()
    .unwrap()
}
