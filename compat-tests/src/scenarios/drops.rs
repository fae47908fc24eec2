//! Values dropped on another node than they were born on.

use dstd::collections::BTreeMap;
use dstd::place;
use dstd::sync::atomic::{AtomicUsize, Ordering};
use dstd::sync::{Arc, mpsc};
use std::fs;

use crate::cluster;

const ROUNDS: usize = 20;
const EACH: usize = 50_000;
const WARM_UP: usize = 4;
/// A round's values take about 6 MB at each node: a leak of all rounds would be over 100 MB.
const GROWTH_MAX: usize = 40 << 20;

/// A million strings and more cross the cluster, and no node grows with the number of rounds.
pub(crate) fn foreign_drops() -> String {
    let mut dropped = 0;
    let mut after_warm_up = Vec::new();
    for round in 0..ROUNDS {
        let born = cluster::everywhere(|i| {
            (0..EACH).map(|n| format!("value {n} of node {i}, long enough for the heap")).collect::<Vec<_>>()
        });
        let threads: Vec<_> = born
            .into_iter()
            .enumerate()
            .map(|(i, values)| cluster::spawn(i + 1, move || values.into_iter().map(drop).count()))
            .collect();
        dropped += threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>();
        if round == WARM_UP {
            after_warm_up = resident();
        }
    }
    assert_eq!(dropped, ROUNDS * EACH * cluster::size());
    for (i, (before, after)) in after_warm_up.iter().zip(resident()).enumerate() {
        assert!(after < before + GROWTH_MAX, "node {i} grew from {before} to {after} bytes");
    }
    format!("{dropped} values")
}

/// Buffers of main's node that another one drops are free for the next ones.
pub(crate) fn large_foreign_drops() -> String {
    const BUFFERS: usize = 100;
    const BYTES: usize = 16 << 20;
    /// All buffers would be 1.6 GB.
    const ALIVE_MAX: usize = 16 * BYTES;
    let before = resident();
    let (sender, receiver) = mpsc::sync_channel::<Vec<u8>>(1);
    let sum = cluster::spawn(cluster::size() - 1, move || {
        receiver.into_iter().map(|buffer| usize::from(buffer[BYTES - 1])).sum::<usize>()
    });
    for i in 0..BUFFERS {
        sender.send(vec![1; BYTES]).unwrap();
        for (node, (before, now)) in before.iter().zip(resident()).enumerate() {
            assert!(now < before + ALIVE_MAX, "node {node} grew from {before} to {now} bytes by buffer {i}");
        }
    }
    drop(sender);
    assert_eq!(sum.join().unwrap(), BUFFERS);
    format!("{BUFFERS} buffers")
}

/// What every node occupies.
pub(crate) fn resident() -> Vec<usize> {
    place::nodes()
        .map(|node| {
            place::call(node, || {
                let statm = fs::read_to_string("/proc/self/statm").unwrap();
                statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
            })
        })
        .collect()
}

/// Large buffers of one node are grown, shrunk and given back by others.
pub(crate) fn grow() -> String {
    const WORDS: u64 = 1 << 20;
    let nodes = cluster::size();
    let mut words: Vec<u64> = place::call(cluster::last(), || (0..WORDS).collect());
    for round in 0..2 * nodes {
        words = cluster::spawn(round, move || {
            let next = words.len() as u64;
            words.extend(next..next + WORDS / 2);
            words.shrink_to_fit();
            words.reserve_exact(3 * WORDS as usize);
            words
        })
        .join()
        .unwrap();
    }
    assert!(words.iter().zip(0..).all(|(word, i)| *word == i));
    words = cluster::spawn(1, move || {
        words.truncate(5_000);
        words.shrink_to_fit();
        words
    })
    .join()
    .unwrap();
    assert!(words.iter().copied().eq(0..5_000));
    let zeroed = cluster::spawn(1, || vec![0_u64; WORDS as usize]).join().unwrap();
    assert!(zeroed.iter().all(|word| *word == 0));
    format!("{} rounds", 2 * nodes)
}

struct Counted {
    name: String,
    drops: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert!(self.name.starts_with("counted "));
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// Drop glue of nested collections runs exactly once for every value, wherever it runs.
pub(crate) fn drop_glue() -> String {
    const VALUES: usize = 3_000;
    let drops = Arc::new(AtomicUsize::new(0));
    let mut tree: BTreeMap<usize, Vec<Box<Counted>>> = BTreeMap::new();
    for n in 0..VALUES {
        let counted = Counted { name: format!("counted {n}"), drops: Arc::clone(&drops) };
        tree.entry(n % 100).or_default().push(Box::new(counted));
    }
    let half = tree.split_off(&50);
    let dropped_elsewhere = cluster::spawn(1, move || drop(half));
    let kept = cluster::spawn(2, move || {
        let mut tree = tree;
        tree.retain(|key, values| {
            values.truncate(10);
            key % 2 == 0
        });
        tree
    });
    dropped_elsewhere.join().unwrap();
    let kept = kept.join().unwrap();
    assert_eq!(drops.load(Ordering::Relaxed), VALUES - 25 * 10);
    drop(kept);
    assert_eq!(drops.load(Ordering::Relaxed), VALUES);
    assert_eq!(Arc::strong_count(&drops), 1);
    format!("{VALUES} values")
}
