//! Pages that nobody has touched yet: allocated and zeroed on one node, first used on several at once.

use dstd::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use dstd::sync::{Arc, Barrier};
use dstd::{place, thread};

use crate::cluster;

/// Words of a page.
const PAGE: usize = 512;
/// Pages whose being touched is asked for at once.
const WINDOW: usize = 256;

/// Two threads of every node write neighbouring words of the same fresh pages, half of them from behind.
pub(crate) fn neighbours() -> String {
    const ROUNDS: usize = 20;
    const PAGES: usize = 1_024;
    let writers = 2 * cluster::size();
    // All are kept: memory that was used before is not fresh.
    let mut kept = Vec::new();
    for round in 0..ROUNDS {
        let mut words = place::call(cluster::nth(round), || vec![0_u64; PAGES * PAGE]);
        let mut shares: Vec<Vec<&mut u64>> = (0..writers).map(|_| Vec::new()).collect();
        for page in words.chunks_exact_mut(PAGE) {
            shares.iter_mut().zip(page).for_each(|(share, word)| share.push(word));
        }
        let start = &Barrier::new(writers);
        thread::scope(|scope| {
            for (i, mut share) in shares.into_iter().enumerate() {
                cluster::scoped(scope, i, move || {
                    if i >= cluster::size() {
                        share.reverse();
                    }
                    start.wait();
                    share.into_iter().for_each(|word| *word += value(round, i));
                });
            }
        });
        let expected: u64 = (0..writers).map(|i| value(round, i)).sum();
        let words = Arc::new(words);
        let sums = cluster::everywhere({
            let words = Arc::clone(&words);
            move |_| words.chunks_exact(PAGE).map(|page| page.iter().sum::<u64>()).collect::<Vec<_>>()
        });
        for (node, sums) in sums.iter().enumerate() {
            let wrong = sums.iter().filter(|sum| **sum != expected).count();
            assert_eq!(wrong, 0, "node {node} sees {wrong} wrong pages in round {round}");
        }
        kept.push(words);
    }
    format!("{} pages", ROUNDS * PAGES)
}

fn value(round: usize, writer: usize) -> u64 {
    (1 << writer) + round as u64
}

/// Main's node reads just ahead of a writer on another node. It sees 0 or what was written, and
/// after the join only what was written.
pub(crate) fn read_ahead() -> String {
    const PAGES: usize = 32_768;
    let words = &zeroed(PAGES * PAGE)[..];
    let done = &AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = cluster::scoped(scope, 0, move || {
            let (mut at, mut skip, mut reads) = (0, 88_172_645_463_325_252_u64, 0);
            while !done.load(Ordering::Relaxed) && at + WINDOW < PAGES {
                let touched = touched(&words[at * PAGE..(at + WINDOW) * PAGE]);
                at += touched;
                skip ^= skip << 13;
                skip ^= skip >> 7;
                skip ^= skip << 17;
                let page = at + 2 + (skip % 30) as usize;
                if touched > 0 && page < PAGES {
                    assert!(words[page * PAGE].load(Ordering::Relaxed) <= 1);
                    reads += 1;
                }
            }
            reads
        });
        let writer = cluster::scoped(scope, cluster::size() - 1, move || {
            words.iter().step_by(PAGE).for_each(|word| word.store(1, Ordering::Relaxed));
        });
        writer.join().unwrap();
        done.store(true, Ordering::SeqCst);
        let reads: u64 = reader.join().unwrap();
        println!("{reads} reads ahead");
    });
    let stale = words.iter().step_by(PAGE).filter(|word| word.load(Ordering::SeqCst) != 1).count();
    assert_eq!(stale, 0, "pages are as they were before they were written");
    format!("{PAGES} pages")
}

/// Zeroes that nobody has touched.
#[expect(unsafe_code, reason = "the safe ways write every word")]
fn zeroed(count: usize) -> Box<[AtomicU64]> {
    let words = Box::new_zeroed_slice(count);
    // SAFETY: all bytes zero is an atomic 0.
    unsafe { words.assume_init() }
}

/// How many pages at the start of `words` exist.
#[expect(unsafe_code, reason = "only the kernel knows")]
fn touched(words: &[AtomicU64]) -> usize {
    let start = words.as_ptr().map_addr(|start| start & !(PAGE * 8 - 1)).cast_mut().cast();
    let mut present = [0_u8; WINDOW];
    // SAFETY: the pages from the one of the first word on are mapped; the vector has a byte for each.
    let answer = unsafe { libc::mincore(start, size_of_val(words), present.as_mut_ptr()) };
    assert_eq!(answer, 0);
    present.iter().position(|present| present & 1 == 0).unwrap_or(WINDOW)
}
