//! Freed memory is the system's again, and nobody sees it come and go.

use dstd::collections::BTreeMap;
use dstd::place;
use dstd::sync::{Barrier, mpsc};
use dstd::thread;
use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::cluster;
use crate::drops::resident;

const MIB: usize = 1 << 20;
/// More than what stays for later allocations.
const BIG: usize = 96 * MIB;
/// What a node may keep.
const LEFT_MAX: usize = 44 * MIB;
const PATIENCE: Duration = Duration::from_secs(60);

/// Polls until `reached`, or panics with what it says.
fn wait_for<E: std::fmt::Display>(mut reached: impl FnMut() -> Result<(), E>) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(missing) = reached() {
        assert!(Instant::now() < deadline, "{missing}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until no node has much more than `before`.
fn settle(before: &[usize], what: &str) {
    wait_for(|| {
        let now = resident();
        let much = before.iter().zip(&now).any(|(before, now)| *now > before + LEFT_MAX);
        if much { Err(format!("{what}: {before:?} bytes became {now:?}")) } else { Ok(()) }
    });
}

/// A large buffer's memory goes back: dropped where it was made, or elsewhere; after others have read
/// and written it.
pub(crate) fn returned() -> String {
    let before = resident();
    let born = cluster::everywhere(|_| vec![1_u8; BIG]);
    let full = resident();
    assert!(before.iter().zip(&full).all(|(before, full)| *full > before + BIG), "{before:?} -> {full:?}");
    drop(born);
    settle(&before, "main has dropped what all nodes made");

    cluster::everywhere(|i| drop(vec![i as u8 + 1; BIG]));
    settle(&before, "each node has dropped its own");

    let mut shared = cluster::spawn(cluster::size() - 1, || vec![3_u8; BIG]).join().unwrap();
    thread::scope(|scope| {
        for (i, part) in shared.chunks_mut(BIG / cluster::size()).enumerate() {
            cluster::scoped(scope, i, move || part.iter_mut().for_each(|byte| *byte += 1));
        }
    });
    thread::scope(|scope| {
        let shared = &shared;
        for i in 0..cluster::size() {
            cluster::scoped(scope, i, move || {
                assert!(shared.iter().step_by(4_096).all(|byte| *byte == 4));
            });
        }
    });
    cluster::spawn(1, move || drop(shared)).join().unwrap();
    settle(&before, "node 1 has dropped what all had");
    format!("{} MiB on {} nodes", BIG / MIB, cluster::size())
}

/// Buffers of all nodes are made, passed on, checked and dropped elsewhere, so that their memory goes and
/// comes again and again: it is zero where that was asked for, and what was written otherwise.
pub(crate) fn reused() -> String {
    const ROUNDS: usize = 12;
    const WORDS: usize = 6 * MIB / 8;
    let mut held: Vec<Vec<Vec<u64>>> = vec![Vec::new(); cluster::size()];
    for round in 0..ROUNDS {
        let threads: Vec<_> = held
            .into_iter()
            .enumerate()
            .map(|(i, buffers)| {
                cluster::spawn(i + round, move || {
                    for (n, buffer) in buffers.iter().enumerate() {
                        let good =
                            buffer.iter().zip(0_u64..).all(|(word, at)| *word == at ^ (round * 8 + n) as u64);
                        assert!(good, "buffer {n} of round {round} has changed");
                    }
                    drop(buffers);
                    // Sizes differ, so that runs are cut and merged.
                    (0..4 + (round + i) % 3)
                        .map(|n| {
                            let mut buffer = vec![0_u64; WORDS / (1 + (n + round) % 3)];
                            assert!(
                                buffer.iter().all(|word| *word == 0),
                                "buffer {n} of {round} is not zero"
                            );
                            let mark = ((round + 1) * 8 + n) as u64;
                            buffer.iter_mut().zip(0..).for_each(|(word, at)| *word = at ^ mark);
                            buffer
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        held = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        if round % 4 == 3 {
            // All of it at once.
            held.iter_mut().for_each(Vec::clear);
        }
    }
    format!("{ROUNDS} rounds")
}

/// A vector that no node could hold is filled, split by value, sorted by threads on all nodes, and checked. The
/// first argument is its size in MiB.
pub(crate) fn striped_sort() -> String {
    let mib: usize = std::env::args().nth(2).and_then(|mib| mib.parse().ok()).unwrap_or(60);
    let words = mib * MIB / 8;
    let began = Instant::now();
    let mut values: Vec<u64> = Vec::with_capacity(words);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..words {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        values.push(state);
    }
    let sum = |values: &[u64]| values.iter().fold(0_u64, |sum, value| sum.wrapping_add(*value));
    let (before, filled) = (sum(&values), began.elapsed());
    assert!(Vec::<u64>::new().try_reserve_exact(words).is_err(), "two such vectors do not fit");

    let mut parts: Vec<&mut [u64]> = vec![&mut values];
    for left in (2..=cluster::size()).rev() {
        let rest = parts.pop().unwrap();
        let middle = rest.len() / left;
        rest.select_nth_unstable(middle);
        let (low, high) = rest.split_at_mut(middle);
        parts.extend([low, high]);
    }
    let split = began.elapsed();
    thread::scope(|scope| {
        for (i, part) in parts.into_iter().enumerate() {
            cluster::scoped(scope, i, || part.sort_unstable());
        }
    });
    let sorted = began.elapsed();
    assert!(values.is_sorted());
    assert_eq!((sum(&values), values.len()), (before, words));
    let checked = began.elapsed();
    drop(values);

    // Its memory is taken back before it is given out again.
    let again = vec![0_u64; words];
    assert!(again.iter().step_by(509).all(|word| *word == 0));
    format!(
        "{mib} MiB: filled after {filled:.1?}, split {split:.1?}, sorted {sorted:.1?}, checked {checked:.1?}, zero {:.1?}",
        began.elapsed()
    )
}

/// Large vectors of all nodes grow past their heap, in place and by moving, are shrunk by other nodes, and leave
/// nothing behind.
pub(crate) fn striped_grow() -> String {
    const STEP: usize = 3 * MIB / 8;
    for round in 0..4 {
        let grown = cluster::everywhere(move |i| {
            let mut values: Vec<u64> = Vec::new();
            while values.len() < 8 * STEP {
                let next = values.len() as u64;
                values.extend((next..next + STEP as u64).map(|at| at * (i as u64 + 1)));
            }
            values
        });
        // Each home has its third of this beside what may have grown there: 24 MiB, and 8 of each other node's.
        let mut large: Vec<u64> = Vec::with_capacity(48 * MIB / 8);
        large.resize(46 * MIB / 8, 7);
        let threads: Vec<_> = grown
            .into_iter()
            .enumerate()
            .map(|(i, mut values)| {
                cluster::spawn(i + round + 1, move || {
                    assert!(values.iter().zip(0..).all(|(value, at)| *value == at * (i as u64 + 1)));
                    values.truncate(4 * STEP);
                    values.shrink_to_fit();
                    values.truncate(1_000);
                    values.shrink_to_fit();
                    assert!(values.iter().zip(0..).all(|(value, at)| *value == at * (i as u64 + 1)));
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(large.iter().all(|value| *value == 7));
        large.truncate(40 * MIB / 8);
        large.shrink_to_fit();
        large.reserve_exact(40 * MIB / 8);
        assert!(large.iter().all(|value| *value == 7) && large.len() == 40 * MIB / 8);
        cluster::spawn(round, move || drop(large)).join().unwrap();
    }
    // Everything is free again: more than any two nodes hold fits.
    wait_for(|| Vec::<u8>::new().try_reserve_exact(140 * MIB));
    "4 rounds".to_owned()
}

/// What one node has allocated and another one frees can be had by a third at once. Heaps of 64 MiB.
pub(crate) fn striped_after_frees() -> String {
    const ROUNDS: usize = 6;
    for i in 0..ROUNDS {
        // Most of a heap, and the other heaps do not hold what is asked for next.
        let block = cluster::spawn(i, || vec![1_u8; 44 * MIB]).join().unwrap();
        cluster::spawn(i + 1, move || drop(block)).join().unwrap();
        let fits = cluster::spawn(i + 2, || Vec::<u8>::new().try_reserve_exact(150 * MIB));
        assert_eq!(fits.join().unwrap(), Ok(()));
    }
    format!("{ROUNDS} rounds")
}

/// A few blocks that a thread frees and then does nothing more do not wait for its next free or its end.
pub(crate) fn idle_frees() -> String {
    /// Far from a full batch, and below what is sent at once.
    const BLOCKS: usize = 5;
    const BYTES: usize = 20_000;
    type Block = [u8; BYTES];
    // The neighbours stay, so that the blocks come back as blocks and not as free pages.
    let (blocks, neighbours): (Vec<Box<Block>>, Vec<Box<Block>>) =
        (0..BLOCKS).map(|_| (Box::new([7; BYTES]), Box::new([8; BYTES]))).unzip();
    let addresses: Vec<usize> =
        blocks.iter().map(|block| std::ptr::from_ref::<Block>(block).addr()).collect();
    let (dropped, wait_dropped) = mpsc::channel();
    let (end, wait_end) = mpsc::channel::<()>();
    let idle = cluster::spawn(1, move || {
        drop(blocks);
        dropped.send(()).unwrap();
        assert!(wait_end.recv().is_err());
    });
    wait_dropped.recv().unwrap();
    let mut taken: Vec<Vec<u8>> = Vec::new();
    let mut back = 0;
    wait_for(|| {
        taken.extend((0..8).map(|_| Vec::with_capacity(BYTES)));
        back = taken.iter().filter(|block| addresses.contains(&block.as_ptr().addr())).count();
        if back == BLOCKS { Ok(()) } else { Err(format!("{back} of {BLOCKS} blocks came back")) }
    });
    assert!(!idle.is_finished());
    drop(end);
    idle.join().unwrap();
    assert!(neighbours.iter().all(|block| block[0] == 8));
    assert_eq!(place::here(), cluster::nth(0));
    format!("{back} blocks")
}

/// What threads had on their stacks, and what a map held in small pieces, goes back as well.
pub(crate) fn small_returned() -> String {
    const THREADS: usize = 60;
    const DEEP: usize = MIB + MIB / 2;
    let before = resident();
    let counts = cluster::everywhere(|_| {
        let barrier = Barrier::new(THREADS);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    let builder = thread::Builder::new().stack_size(8 * MIB);
                    let deep = || {
                        let deep = black_box([1_u8; DEEP]);
                        barrier.wait();
                        deep.iter().map(|byte| usize::from(*byte)).sum::<usize>() / DEEP
                    };
                    builder.spawn_scoped(scope, deep).unwrap()
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        })
    });
    assert_eq!(counts.iter().sum::<usize>(), THREADS * cluster::size());
    settle(&before, "threads with deep stacks have ended");

    cluster::everywhere(|_| {
        let map: BTreeMap<usize, Box<[u8; 700]>> =
            (0..100_000).map(|key| (key, Box::new([1; 700]))).collect();
        assert_eq!(map.len(), 100_000);
    });
    settle(&before, "maps were dropped");
    "stacks and maps".to_owned()
}
