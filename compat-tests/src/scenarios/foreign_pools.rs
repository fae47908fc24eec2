//! rayon: jobs and latches lie on stacks and in thread-locals.

use dstd::place;
use dstd::sync::Arc;
use dstd::sync::atomic::{AtomicU64, Ordering};
use dstd::sync::mpsc::channel;
use rayon_core::{ThreadPool, ThreadPoolBuilder};

use crate::cluster;

/// A pool with one worker on each node.
fn spread_pool() -> ThreadPool {
    let mut next = 0;
    ThreadPoolBuilder::new()
        .num_threads(cluster::size())
        .spawn_handler(move |worker| {
            drop(place::spawn_on(cluster::nth(next), move || worker.run()));
            next += 1;
            Ok(())
        })
        .build()
        .unwrap()
}

fn sum(numbers: &[u64]) -> u64 {
    if numbers.len() <= 64 {
        return numbers.iter().sum();
    }
    let (low, high) = numbers.split_at(numbers.len() / 2);
    let (low, high) = rayon_core::join(|| sum(low), || sum(high));
    low + high
}

/// Uses `pool` from a thread on every node at once, then from scoped jobs.
fn use_pool(pool: ThreadPool) -> u64 {
    const NUMBERS: u64 = 4_000;
    let pool = Arc::new(pool);
    let sums = cluster::everywhere({
        let pool = Arc::clone(&pool);
        move |i| {
            let numbers: Vec<u64> = (i as u64..NUMBERS + i as u64).collect();
            // The caller's latch is a thread-local, its job a local.
            let total = pool.install(|| sum(&numbers));
            assert_eq!(total, numbers.iter().sum::<u64>());
            let (tell, told) = channel();
            pool.spawn(move || tell.send(total + 1).unwrap());
            assert_eq!(told.recv().unwrap(), total + 1);
            total
        }
    });
    let count = AtomicU64::new(0);
    pool.scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|scope| {
                count.fetch_add(1, Ordering::Relaxed);
                scope.spawn(|_| {
                    count.fetch_add(100, Ordering::Relaxed);
                });
            });
        }
    });
    assert_eq!(count.into_inner(), 2_020);
    sums.into_iter().sum()
}

/// Workers on one node, users on all.
pub(crate) fn at_home() -> String {
    let total = use_pool(ThreadPoolBuilder::new().num_threads(2).build().unwrap());
    format!("{total}")
}

/// Workers and users on all nodes.
pub(crate) fn spread() -> String {
    let total = use_pool(spread_pool());
    format!("{total}")
}
