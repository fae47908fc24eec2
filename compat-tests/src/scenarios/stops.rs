//! Memory that may not be shared: touching it from another node ends the program, with words.
//!
//! The address goes to stdout first, so that a test can compare it with what is reported.

use dstd::thread;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cluster;

thread_local! {
    static COUNTER: AtomicU64 = const { AtomicU64::new(3) };
}

/// A thread-local value, borrowed by a scoped thread on another node.
pub(crate) fn lent_thread_local() -> String {
    let seen = COUNTER.with(|counter| {
        println!("address {:p}", counter);
        thread::scope(|scope| {
            cluster::scoped(scope, cluster::size() - 1, || counter.fetch_add(1, Ordering::SeqCst))
                .join()
                .unwrap()
        })
    });
    format!("went on with {seen}")
}

/// A mapping that main made for itself, borrowed by a scoped thread on another node.
pub(crate) fn private_mapping() -> String {
    let mut mapping = memmap2::MmapMut::map_anon(1 << 20).unwrap();
    mapping.fill(9);
    let bytes = &mapping[5_000..6_000];
    println!("address {:p}", bytes);
    let sum = thread::scope(|scope| {
        cluster::scoped(scope, cluster::size() - 1, || bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>())
            .join()
            .unwrap()
    });
    format!("went on with {sum}")
}
