//! Scenarios of std's locks between threads of several nodes.

use super::rwlock::RwLock;
use super::sync::{Barrier, Condvar, Mutex, Parker};
use super::{Stage, futex};
use crate::cpu::Waited;

pub(super) fn mutex(stage: &mut Stage<'_>) {
    let (mutex, counter) = (Mutex(stage.place()), stage.place());
    let crew = stage.crew();
    let rounds = stage.rng.between(5, 40);
    stage.expect(counter, crew.len() as u64 * rounds, "increments under a mutex");
    for node in crew {
        stage.thread(node, move |cpu| async move {
            for _ in 0..rounds {
                mutex.lock(&cpu).await;
                let value = cpu.load(counter).await;
                cpu.dawdle(20_000).await;
                cpu.store(counter, value + 1).await;
                mutex.unlock(&cpu).await;
                cpu.dawdle(50_000).await;
            }
        });
    }
}

pub(super) fn queue(stage: &mut Stage<'_>) {
    let mutex = Mutex(stage.place());
    let (not_empty, not_full) = (Condvar(stage.place()), Condvar(stage.place()));
    let (length, total) = (stage.place(), stage.place());
    let crew = stage.crew();
    let crew = &crew[..crew.len() / 2 * 2];
    let capacity = stage.rng.between(1, 3);
    let items = stage.rng.between(3, 20);
    stage.expect(length, 0, "items left in the queue");
    stage.expect(total, items * crew.len() as u64 / 2, "items taken");
    for (index, &node) in crew.iter().enumerate() {
        let produces = index % 2 == 0;
        let impatient = stage.rng.once_in(2);
        stage.thread(node, move |cpu| async move {
            for _ in 0..items {
                let (wanted, told) = if produces { (not_full, not_empty) } else { (not_empty, not_full) };
                mutex.lock(&cpu).await;
                while cpu.load(length).await == if produces { capacity } else { 0 } {
                    let timeout = impatient.then(|| 1 + cpu.random(300_000));
                    wanted.wait(&cpu, mutex, timeout).await;
                }
                if produces {
                    cpu.add(length, 1).await;
                } else {
                    cpu.add(length, u64::MAX).await;
                    cpu.add(total, 1).await;
                }
                told.notify_one(&cpu).await;
                mutex.unlock(&cpu).await;
                cpu.dawdle(20_000).await;
            }
        });
    }
}

pub(super) fn barrier(stage: &mut Stage<'_>) {
    let crew = stage.crew();
    let barrier = Barrier {
        mutex: Mutex(stage.place()),
        turned: Condvar(stage.place()),
        count: stage.place(),
        generation: stage.place(),
        threads: crew.len() as u64,
    };
    let counter = stage.place();
    let rounds = stage.rng.between(2, 8);
    stage.expect(counter, rounds * barrier.threads, "arrivals");
    for node in crew {
        stage.thread(node, move |cpu| async move {
            for round in 1..=rounds {
                cpu.dawdle(100_000).await;
                cpu.add(counter, 1).await;
                barrier.wait(&cpu).await;
                let arrived = cpu.load(counter).await;
                cpu.check(arrived >= round * barrier.threads, || {
                    format!("{arrived} arrivals after barrier {round}")
                });
            }
        });
    }
}

pub(super) fn rwlock(stage: &mut Stage<'_>) {
    let lock = RwLock { state: stage.place(), writer_notify: stage.place() };
    let (left, right) = (stage.place(), stage.place());
    let crew = stage.crew();
    let rounds = stage.rng.between(5, 25);
    let writers = crew.len().div_ceil(2) as u64;
    stage.expect(left, writers * rounds, "writes under an rwlock");
    stage.expect(right, writers * rounds, "writes under an rwlock");
    for (index, node) in crew.into_iter().enumerate() {
        stage.thread(node, move |cpu| async move {
            for _ in 0..rounds {
                if index % 2 == 0 {
                    lock.write(&cpu).await;
                    let value = cpu.load(left).await + 1;
                    cpu.store(left, value).await;
                    cpu.dawdle(20_000).await;
                    cpu.store(right, value).await;
                    lock.write_unlock(&cpu).await;
                } else {
                    lock.read(&cpu).await;
                    let first = cpu.load(left).await;
                    cpu.dawdle(20_000).await;
                    let second = cpu.load(right).await;
                    cpu.check(first == second, || format!("a reader saw {first} and {second}"));
                    lock.read_unlock(&cpu).await;
                }
                cpu.dawdle(30_000).await;
            }
        });
    }
}

pub(super) fn park(stage: &mut Stage<'_>) {
    let (ping, pong) = (Parker(stage.place()), Parker(stage.place()));
    let turn = stage.place();
    let rounds = stage.rng.between(3, 20);
    let (left, right) = (stage.any_node(), stage.any_node());
    stage.expect(turn, 2 * rounds, "turns");
    for (mine, other, parity, node) in [(ping, pong, 0, left), (pong, ping, 1, right)] {
        let timed = stage.rng.once_in(2);
        stage.thread(node, move |cpu| async move {
            for round in 0..rounds {
                while cpu.load(turn).await != 2 * round + parity {
                    if timed {
                        mine.park_timeout(&cpu, 1 + cpu.random(200_000)).await;
                    } else {
                        mine.park(&cpu).await;
                    }
                }
                cpu.add(turn, 1).await;
                other.unpark(&cpu).await;
            }
        });
    }
}

/// The sleeper waits for the word to leave its present value, round after round; bystanders
/// wait for it to leave 0 although it never is 0 any more. One wake is made a round, for the
/// sleeper: no bystander may swallow it.
pub(super) fn bystander(stage: &mut Stage<'_>) {
    let (addr, ready) = (stage.place(), stage.place());
    let (sleeper, waker) = (stage.any_node(), stage.any_node());
    let rounds = stage.rng.between(8, 24);
    stage.expect(addr, rounds + 1, "rounds of a sleeper");
    stage.thread(sleeper, move |cpu| async move {
        cpu.store(addr, 1).await;
        for round in 1..=rounds {
            cpu.store(ready, round).await;
            cpu.dawdle(50_000).await;
            while cpu.load(addr).await == round {
                futex::wait(&cpu, addr, round, None).await;
            }
        }
    });
    for _ in 0..stage.rng.between(3, 7) {
        let node = stage.any_node();
        stage.thread(node, move |cpu| async move {
            while cpu.load(ready).await == 0 {
                cpu.pause(20_000).await;
            }
            for _ in 0..24 * rounds {
                let waited = futex::wait(&cpu, addr, 0, None).await;
                cpu.check(waited == Waited::Differs, || format!("a bystander's wait ended {waited:?}"));
                cpu.dawdle(4_000).await;
            }
        });
    }
    stage.thread(waker, move |cpu| async move {
        for round in 1..=rounds {
            // Gives up on a sleeper that never comes back, so that the run ends without it.
            for _ in 0..5_000 {
                if cpu.load(ready).await >= round {
                    break;
                }
                cpu.pause(20_000).await;
            }
            cpu.dawdle(200_000).await;
            cpu.store(addr, round + 1).await;
            futex::wake(&cpu, addr, 1).await;
        }
    });
}
