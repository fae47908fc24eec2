//! Scenarios of plain memory and atomics.

use dstd_addr::{GlobalAddr, Layout, NodeId, PAGE_BYTES};

use super::Stage;
use super::sync::{Barrier, Condvar, Mutex};
use crate::cpu::Cpu;
use crate::memory::word;

/// The order checker sees every access; exact counters show that no change was lost.
pub(super) fn random(stage: &mut Stage<'_>) {
    let words: Vec<GlobalAddr> = (0..stage.rng.between(2, 10)).map(|_| stage.place()).collect();
    let counter = stage.place();
    let crew = stage.crew();
    let rounds = stage.rng.between(20, 80);
    stage.expect(counter, crew.len() as u64 * rounds, "increments by compare-exchange");
    for node in crew {
        let words = words.clone();
        stage.thread(node, move |cpu| async move {
            for round in 0..rounds {
                let addr = words[cpu.random(words.len() as u64) as usize];
                match cpu.random(4) {
                    0 => cpu.store(addr, cpu.random(1 << 30)).await,
                    1 => {
                        cpu.add(addr, round).await;
                    }
                    _ => {
                        cpu.load(addr).await;
                    }
                }
                increment(&cpu, counter).await;
                cpu.dawdle(30_000).await;
            }
        });
    }
}

async fn increment(cpu: &Cpu, counter: GlobalAddr) {
    let mut value = cpu.load(counter).await;
    while let Err(found) = cpu.cas(counter, value, value + 1).await {
        value = found;
    }
}

pub(super) fn false_sharing(stage: &mut Stage<'_>) {
    let page = stage.place().page();
    let rounds = stage.rng.between(50, 300);
    for (index, node) in stage.crew().into_iter().enumerate() {
        let addr = word(page, index);
        stage.expect(addr, rounds, "increments of a neighbour");
        stage.thread(node, move |cpu| async move {
            for round in 0..rounds {
                let before = cpu.add(addr, 1).await;
                cpu.check(before == round, || format!("counter {addr:?} is {before}, not {round}"));
                cpu.dawdle(2_000).await;
            }
        });
    }
}

/// PAGE-2 for instructions that need two pages: every node fights for the same two.
pub(super) fn straddle(stage: &mut Stage<'_>) {
    let one = stage.place().page();
    let two = loop {
        let page = stage.place().page();
        if page != one {
            break page;
        }
    };
    let rounds = stage.rng.between(5, 30);
    for (index, node) in stage.crew().into_iter().enumerate() {
        let (from, to) = if index % 2 == 0 { (one, two) } else { (two, one) };
        let (from, to) = (word(from, index), word(to, index));
        stage.expect(to, rounds, "copies between two pages");
        stage.thread(node, move |cpu| async move {
            for round in 1..=rounds {
                cpu.store(from, round).await;
                cpu.copy(from, to).await;
                let copied = cpu.load(to).await;
                cpu.check(copied == round, || format!("{copied} was copied, not {round}"));
                cpu.dawdle(20_000).await;
            }
        });
    }
}

pub(super) fn sweep(stage: &mut Stage<'_>) {
    let home = stage.any_node();
    let pages = stage.rng.between(8, 60);
    walks(stage, home, (0..pages).collect());
}

/// Every page once, by turns of a walk in steps.
pub(super) fn steps(stage: &mut Stage<'_>) {
    let home = stage.any_node();
    let pages = stage.rng.between(8, 60);
    let step = stage.rng.between(1, 8);
    let mut order: Vec<u64> = (0..step).flat_map(|from| (from..pages).step_by(step as usize)).collect();
    if step == 1 || stage.rng.once_in(2) {
        order.reverse();
    }
    walks(stage, home, order);
}

/// One thread writes all pages in this order, the others read them.
fn walks(stage: &mut Stage<'_>, home: NodeId, order: Vec<u64>) {
    let pages = order.len() as u64;
    let start = Layout::heap(home).start + 64 * PAGE_BYTES;
    let crew = stage.crew();
    let barrier = Barrier {
        mutex: Mutex(stage.place()),
        turned: Condvar(stage.place()),
        count: stage.place(),
        generation: stage.place(),
        threads: crew.len() as u64,
    };
    let sum: u64 = (1..=pages).sum();
    for (index, node) in crew.into_iter().enumerate() {
        let order = order.clone();
        stage.thread(node, move |cpu| async move {
            let addr = |page: u64| GlobalAddr(start + page * PAGE_BYTES + 8 * (page % 8));
            for round in 0..3 {
                if index == round {
                    for &page in &order {
                        cpu.store(addr(page), (round as u64 + 1) * (page + 1)).await;
                    }
                }
                barrier.wait(&cpu).await;
                let mut found = 0;
                for &page in &order {
                    found += cpu.load(addr(page)).await;
                }
                // With two threads the last round has no writer.
                let written = (round as u64).min(barrier.threads - 1) + 1;
                cpu.check(found == sum * written, || format!("the sum is {found}, not {}", sum * written));
                barrier.wait(&cpu).await;
            }
        });
    }
    stage.expect(GlobalAddr(start), 3.min(barrier.threads), "the last sweep over the first page");
}
