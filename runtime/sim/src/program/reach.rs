//! Scenarios of bounded copies and of freed memory.

use dstd_addr::{GlobalAddr, Layout, PAGE_BYTES, PageNo};

use super::Stage;
use super::sync::{Barrier, Condvar, Mutex};
use crate::memory::word;

/// Pages of every home, far more than a node may hold; exact counters and copies between them.
pub(super) fn evict(stage: &mut Stage<'_>) {
    let nodes = stage.nodes;
    let pages_each = stage.rng.between(3, 6);
    let rounds = stage.rng.between(30, 100);
    for (index, node) in stage.crew().into_iter().enumerate() {
        let page = move |number: u64| {
            let home = dstd_addr::NodeId((number % u64::from(nodes)) as u16);
            GlobalAddr(Layout::heap(home).start).page().plus(32 + number / u64::from(nodes))
        };
        let pages = pages_each * u64::from(nodes);
        // Each thread has a word in every page.
        let words: Vec<GlobalAddr> = (0..pages).map(|number| word(page(number), index)).collect();
        let counter = stage.place();
        stage.expect(counter, rounds, "increments between evictions");
        stage.thread(node, move |cpu| async move {
            for round in 0..rounds {
                let from = words[cpu.random(pages) as usize];
                let to = words[cpu.random(pages) as usize];
                cpu.store(from, round + 1).await;
                if from.page() != to.page() {
                    cpu.copy(from, to).await;
                }
                let copied = cpu.load(to).await;
                cpu.check(copied == round + 1, || format!("{copied} was copied, not {}", round + 1));
                // A walk, for read-ahead.
                let start = cpu.random(pages) as usize;
                for addr in words.iter().skip(start).take(4) {
                    cpu.load(*addr).await;
                }
                cpu.add(counter, 1).await;
                cpu.dawdle(20_000).await;
            }
        });
    }
}

/// All write and read pages of one home; then it frees some of them, while others walk through
/// the pages before them and read ahead.
pub(super) fn discard(stage: &mut Stage<'_>) {
    let home = stage.any_node();
    let first = GlobalAddr(Layout::heap(home).start + 64 * PAGE_BYTES).page();
    let pages = stage.rng.between(4, 20);
    let crew = stage.crew();
    let barrier = Barrier {
        mutex: Mutex(stage.place()),
        turned: Condvar(stage.place()),
        count: stage.place(),
        generation: stage.place(),
        threads: crew.len() as u64,
    };
    let rounds = stage.rng.between(2, 5);
    // The crew has a thread on every node; the first one at home frees.
    let frees = crew.iter().position(|&node| node == home).unwrap_or(0);
    for (index, node) in crew.into_iter().enumerate() {
        stage.thread(node, move |cpu| async move {
            let mine = |page: PageNo| word(page, index % 8);
            for round in 1..=rounds {
                for page in (0..pages).map(|number| first.plus(number)) {
                    match cpu.random(3) {
                        0 => cpu.store(mine(page), round).await,
                        1 => {
                            cpu.load(mine(page)).await;
                        }
                        _ => {}
                    }
                }
                barrier.wait(&cpu).await;
                let kept = pages / 3;
                if index == frees {
                    let (from, count) = (first.plus(kept), pages - kept);
                    cpu.discard(from, count as u32).await;
                    for page in (0..count).map(|number| from.plus(number)) {
                        let left = cpu.load(mine(page)).await;
                        cpu.check(left == 0, || format!("{left} is left of {page:?}"));
                    }
                } else {
                    // Read-ahead reaches into what is freed; now and then somebody touches it.
                    for page in (0..kept + u64::from(cpu.random(4) == 0)).map(|number| first.plus(number)) {
                        cpu.load(mine(page)).await;
                    }
                }
                barrier.wait(&cpu).await;
            }
        });
    }
}
