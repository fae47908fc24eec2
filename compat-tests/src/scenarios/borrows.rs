//! Borrows of other threads' stacks and of large buffers.

use dstd::collections::BTreeMap;
use dstd::sync::Mutex;
use dstd::sync::atomic::{AtomicU64, Ordering};
use dstd::{place, thread};

use crate::cluster;

const WORDS: usize = (64 << 20) / 8;

/// Threads on all nodes write a 64 MiB slice through `&mut` chunks; everybody reads it all.
pub(crate) fn slice_64mib() -> String {
    let mut words = vec![0_u64; WORDS];
    // An odd length, so that chunks meet inside of pages.
    let length = WORDS / (2 * cluster::size()) + 13;
    thread::scope(|scope| {
        for (i, chunk) in words.chunks_mut(length).enumerate() {
            cluster::scoped(scope, i, move || {
                for (k, word) in chunk.iter_mut().enumerate() {
                    *word = value(i * length + k);
                }
            });
        }
    });
    assert!(words.iter().enumerate().all(|(k, word)| *word == value(k)));
    let expected = words.iter().fold(0, |sum: u64, word| sum.wrapping_add(*word));
    // Now the other way round: what this node has just read is changed and read elsewhere.
    let sums = thread::scope(|scope| {
        let threads: Vec<_> = words
            .chunks_mut(length)
            .enumerate()
            .map(|(i, chunk)| {
                cluster::scoped(scope, i + 1, move || {
                    let sum = chunk.iter().fold(0, |sum: u64, word| sum.wrapping_add(*word));
                    chunk.reverse();
                    sum
                })
            })
            .collect();
        threads.into_iter().fold(0, |sum: u64, thread| sum.wrapping_add(thread.join().unwrap()))
    });
    assert_eq!(sums, expected);
    for (i, chunk) in words.chunks(length).enumerate() {
        assert!(chunk.iter().rev().enumerate().all(|(k, word)| *word == value(i * length + k)));
    }
    cluster::spawn(1, move || drop(words)).join().unwrap();
    format!("sum {expected:#x}")
}

fn value(k: usize) -> u64 {
    (k as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5555
}

/// Threads on other nodes read and write locals of `main`'s thread.
pub(crate) fn main_locals() -> String {
    let text = String::from("on main's stack");
    let numbers = [3_u64, 1, 4, 1, 5, 9, 2, 6];
    let mut squares = [0_u64; 8];
    let mut tree = BTreeMap::new();
    let sum = AtomicU64::new(0);
    let log = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (i, (square, number)) in squares.iter_mut().zip(&numbers).enumerate() {
            let (text, sum, log) = (&text, &sum, &log);
            cluster::scoped(scope, i, move || {
                *square = number * number;
                sum.fetch_add(*number, Ordering::Relaxed);
                log.lock().unwrap().push(format!("{i} {text}"));
            });
        }
        cluster::scoped(scope, 1, || tree.extend((0..100).map(|n| (n, n.to_string()))));
    });
    assert_eq!(squares, [9, 1, 16, 1, 25, 81, 4, 36]);
    assert_eq!(sum.into_inner(), 31);
    assert_eq!(tree.values().map(String::len).sum::<usize>(), 190);
    let mut log = log.into_inner().unwrap();
    log.sort();
    assert_eq!(log.len(), 8);
    assert!(log.iter().enumerate().all(|(i, line)| *line == format!("{i} on main's stack")));
    format!("{squares:?}")
}

/// A scope on node 1 whose threads run on the other nodes and borrow its stack, and, through it,
/// the stack of `main`.
pub(crate) fn nested_scopes() -> String {
    const ROUNDS: u64 = 20;
    let base = [10_u64, 20, 30];
    let mut total = 0;
    for round in 0..ROUNDS {
        let mut outer = vec![0_u64; 3];
        thread::scope(|scope| {
            let (base, outer) = (&base, &mut outer);
            cluster::scoped(scope, 1, move || {
                let home = place::here();
                let factors = [round, round + 1, round + 2];
                let mut products = [0_u64; 3];
                thread::scope(|inner| {
                    for (i, product) in products.iter_mut().enumerate() {
                        let factors = &factors;
                        cluster::scoped(inner, 2 * i, move || {
                            *product = factors[i] * base[i];
                            let mut third = 0;
                            thread::scope(|deepest| {
                                cluster::scoped(deepest, i + 1, || third = factors[i] * base[i]);
                            });
                            assert_eq!(third, *product);
                        });
                    }
                });
                assert_eq!(place::here(), home);
                outer.copy_from_slice(&products);
            });
        });
        assert_eq!(outer, [round * 10, (round + 1) * 20, (round + 2) * 30]);
        total += outer.iter().sum::<u64>();
    }
    assert_eq!(total, (0..ROUNDS).map(|r| r * 60 + 80).sum::<u64>());
    format!("total {total}")
}
