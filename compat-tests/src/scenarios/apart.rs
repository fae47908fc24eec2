//! Two nodes take turns at writing to two counters, each node to its own.

use std::sync::atomic::{AtomicU64, Ordering};

use dstd::place::{self, Apart};

use crate::cluster;

const TURNS: u64 = 200;

/// Both counters lie on one page.
pub(crate) fn turns_together() -> String {
    let counters = Box::leak(Box::new([const { AtomicU64::new(0) }; 2]));
    take_turns(counters.each_ref())
}

/// Each lies on a page of its own.
pub(crate) fn turns_apart() -> String {
    let counters = Box::leak(Box::new([const { Apart::new(AtomicU64::new(0)) }; 2]));
    take_turns(counters.each_ref().map(|counter| &**counter))
}

/// Statics do so by themselves.
pub(crate) fn statics_apart() -> String {
    static ZEROED: [&AtomicU64; 2] = {
        static FIRST: AtomicU64 = AtomicU64::new(0);
        static SECOND: AtomicU64 = AtomicU64::new(0);
        [&FIRST, &SECOND]
    };
    static SET: [&AtomicU64; 2] = {
        static FIRST: AtomicU64 = AtomicU64::new(u64::MAX);
        static SECOND: AtomicU64 = AtomicU64::new(u64::MAX);
        [&FIRST, &SECOND]
    };
    for counter in SET {
        counter.fetch_add(1, Ordering::Relaxed);
    }
    take_turns(ZEROED);
    take_turns(SET)
}

fn take_turns(counters: [&'static AtomicU64; 2]) -> String {
    for _ in 0..TURNS {
        for (i, counter) in counters.into_iter().enumerate() {
            place::call(cluster::nth(i + 1), move || counter.fetch_add(1, Ordering::Relaxed));
        }
    }
    assert_eq!(counters.map(|counter| counter.load(Ordering::Relaxed)), [TURNS; 2]);
    format!("{TURNS} turns")
}
