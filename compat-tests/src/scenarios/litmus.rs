//! Litmus tests: which results of racing loads and stores are seen.
//!
//! Threads on different nodes run the same few instructions round by round, each after a random
//! pause. Locations lie on pages of their own. A location holds the number of the round that last
//! wrote it, so nothing has to be reset. A test ends when each allowed result was
//! seen; a forbidden one must never be seen.

use dstd::place;
use dstd::sync::Arc;
use dstd::sync::atomic::{AtomicU64, Ordering};
use dstd::thread;

use crate::cluster;
use crate::random::{Rng, seed};

const ROUNDS_PER_BATCH: u64 = 400;
const BATCHES_MIN: u64 = 8;
const BATCHES_MAX: u64 = 150;
const SEEN_MIN: u64 = 1;

#[repr(align(4096))]
struct Location(AtomicU64);

struct Machine {
    start: Box<Location>,
    x: Box<Location>,
    y: Box<Location>,
}

/// One thread's part of a round: bits of the result.
type Part = fn(&Machine, u64, &mut Rng) -> usize;

struct Test {
    parts: &'static [Part],
    /// How many bits each part returns.
    bits: u32,
    allowed: fn(usize) -> bool,
    possible: usize,
}

fn write(location: &Location, round: u64, order: Ordering) {
    location.0.store(round, order);
}

fn read(location: &Location, round: u64, order: Ordering) -> usize {
    let value = location.0.load(order);
    assert!(value == round || value == round - 1, "round {round} reads {value}");
    usize::from(value == round)
}

/// x = 1; r0 = y  ||  y = 1; r1 = x. Never both 0.
pub(crate) fn store_buffering() -> String {
    const SEQ: Ordering = Ordering::SeqCst;
    run(&Test {
        parts: &[
            |m, round, rng| {
                write(&m.x, round, SEQ);
                rng.jitter_at_times();
                read(&m.y, round, SEQ)
            },
            |m, round, rng| {
                write(&m.y, round, SEQ);
                rng.jitter_at_times();
                read(&m.x, round, SEQ)
            },
        ],
        bits: 1,
        allowed: |result| result != 0b00,
        possible: 4,
    })
}

/// x = 1; y = 1  ||  r0 = y; r1 = x. Never the news without the data.
pub(crate) fn message_passing() -> String {
    run(&Test {
        parts: &[
            |m, round, rng| {
                write(&m.x, round, Ordering::Relaxed);
                rng.jitter();
                write(&m.y, round, Ordering::Release);
                0
            },
            |m, round, rng| {
                let news = read(&m.y, round, Ordering::Acquire);
                rng.jitter();
                news << 1 | read(&m.x, round, Ordering::Relaxed)
            },
        ],
        bits: 2,
        allowed: |result| result >> 2 != 0b10,
        possible: 16,
    })
}

/// x = 1  ||  y = 1  ||  r0 = x; r1 = y  ||  r2 = y; r3 = x. All agree on the order of the writes.
pub(crate) fn independent_reads() -> String {
    const SEQ: Ordering = Ordering::SeqCst;
    run(&Test {
        parts: &[
            |m, round, _| {
                write(&m.x, round, SEQ);
                0
            },
            |m, round, _| {
                write(&m.y, round, SEQ);
                0
            },
            |m, round, rng| {
                let first = read(&m.x, round, SEQ);
                rng.jitter();
                first << 1 | read(&m.y, round, SEQ)
            },
            |m, round, rng| {
                let first = read(&m.y, round, SEQ);
                rng.jitter();
                first << 1 | read(&m.x, round, SEQ)
            },
        ],
        bits: 2,
        allowed: |result| result >> 4 != 0b1010,
        possible: 256,
    })
}

/// Several threads exchange the same value: one of them succeeds, and sooner or later each.
pub(crate) fn compare_and_swap() -> String {
    fn attempt(m: &Machine, round: u64, _: &mut Rng) -> usize {
        let won = m.x.0.compare_exchange(round - 1, round, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        usize::from(won)
    }
    run(&Test {
        parts: &[attempt, attempt, attempt],
        bits: 1,
        allowed: |result| result.count_ones() == 1,
        possible: 8,
    })
}

/// Results that can occur at all: a part that only writes returns 0.
fn occurs(test: &Test, result: usize) -> bool {
    let writers = match (test.parts.len(), test.bits) {
        (2, 2) => 1,
        (4, _) => 2,
        _ => 0,
    };
    result & ((1 << (test.bits * writers)) - 1) == 0
}

fn run(test: &Test) -> String {
    let seed = seed();
    let mut seen = vec![0_u64; test.possible];
    for batch in 0..BATCHES_MAX {
        // Both locations take turns in being at home with each of the threads.
        let home = |i: u64| cluster::nth((batch / (i + 1)) as usize);
        let location = |node| place::call(node, || Box::new(Location(AtomicU64::new(0))));
        let machine =
            Arc::new(Machine { start: location(home(0)), x: location(home(0)), y: location(home(1)) });
        for result in run_batch(test, &machine, seed.wrapping_add(batch), batch as usize) {
            seen[result] += 1;
        }
        let complete = (0..test.possible)
            .filter(|result| (test.allowed)(*result) && occurs(test, *result))
            .all(|result| seen[result] >= SEEN_MIN);
        let forbidden: u64 =
            (0..test.possible).filter(|result| !(test.allowed)(*result)).map(|result| seen[result]).sum();
        assert_eq!(forbidden, 0, "forbidden results among {seen:?}");
        if complete && batch + 1 >= BATCHES_MIN {
            let seen: Vec<_> = seen.iter().enumerate().filter(|(_, count)| **count > 0).collect();
            return format!("{} rounds, forbidden 0, {seen:?}", (batch + 1) * ROUNDS_PER_BATCH);
        }
    }
    panic!("not every allowed result was seen: {seen:?}");
}

/// Runs one batch with the threads placed `shift` nodes on; the result of every round.
fn run_batch(test: &Test, machine: &Arc<Machine>, seed: u64, shift: usize) -> Vec<usize> {
    let count = test.parts.len() as u64;
    let threads: Vec<_> = test
        .parts
        .iter()
        .enumerate()
        .map(|(i, part)| {
            let machine = Arc::clone(machine);
            let mut rng = Rng::new(seed, i as u64);
            cluster::spawn(i + shift, move || {
                (1..=ROUNDS_PER_BATCH)
                    .map(|round| {
                        machine.start.0.fetch_add(1, Ordering::SeqCst);
                        while machine.start.0.load(Ordering::SeqCst) < round * count {
                            thread::yield_now();
                        }
                        rng.jitter();
                        part(&machine, round, &mut rng)
                    })
                    .collect::<Vec<usize>>()
            })
        })
        .collect();
    let mut results = vec![0; ROUNDS_PER_BATCH as usize];
    for (i, thread) in threads.into_iter().enumerate() {
        for (result, part) in results.iter_mut().zip(thread.join().unwrap()) {
            *result |= part << (test.bits * i as u32);
        }
    }
    results
}
