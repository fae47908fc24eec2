//! How a thread waits for the engine.
//!
//! *Layout*: a state, which is a futex word, a value that comes with it, and how many sleep. *Who may touch what,
//! when*: the waiting thread arms it before its request is published; from then on the engine sets it. It lives on
//! for a moment after the last state was set: who sets it still looks for sleepers.

use crate::primitive::{AtomicU32, AtomicU64, Ordering, WAIT_SPINS, fence, spin_loop};
use crate::raw;

/// A word on which a thread waits for the engine.
#[derive(Debug)]
pub(crate) struct Wait {
    state: AtomicU32,
    /// Threads that sleep, or are about to: who sets the state need not wake anybody else.
    sleepers: AtomicU32,
    value: AtomicU64,
}

impl Wait {
    /// Nothing has happened yet.
    pub(crate) const PENDING: u32 = 0;

    pub(crate) fn new() -> Wait {
        Wait { state: AtomicU32::new(Wait::PENDING), sleepers: AtomicU32::new(0), value: AtomicU64::new(0) }
    }

    /// Before a request is made.
    pub(crate) fn arm(&self) {
        self.state.store(Wait::PENDING, Ordering::Relaxed);
    }

    /// What has happened.
    pub(crate) fn state(&self) -> u32 {
        // Acquire: pairs with the release in `set`.
        self.state.load(Ordering::Acquire)
    }

    /// What came with the last [`Wait::set`].
    pub(crate) fn value(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    /// Engine: something has happened.
    pub(crate) fn set(&self, state: u32, value: u64) {
        self.value.store(value, Ordering::Relaxed);
        // Release: pairs with the acquire in `state`.
        self.state.store(state, Ordering::Release);
        // SeqCst: either this sees the sleeper, or the sleeper, who counts itself before, sees the state.
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) != 0 {
            raw::futex_wake(&self.state, i32::MAX);
        }
    }

    /// Sleeps until the state is no longer `old`, or until `deadline_ns` (monotonic clock).
    /// Returns the state it saw last.
    pub(crate) fn wait_while(&self, old: u32, deadline_ns: Option<u64>) -> u32 {
        for _ in 0..WAIT_SPINS {
            if self.state() != old {
                return self.state();
            }
            spin_loop();
        }
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        // SeqCst: pairs with the fence in `set`, so that either side sees the other's news.
        fence(Ordering::SeqCst);
        let now = self.sleep_while(old, deadline_ns);
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
        now
    }

    fn sleep_while(&self, old: u32, deadline_ns: Option<u64>) -> u32 {
        loop {
            let now = self.state();
            if now != old {
                return now;
            }
            let Some(deadline) = deadline_ns else {
                raw::futex_wait(&self.state, old, None);
                continue;
            };
            let rest = deadline.saturating_sub(raw::now_ns());
            if rest == 0 {
                return old;
            }
            let time = libc::timespec {
                tv_sec: (rest / 1_000_000_000) as i64,
                tv_nsec: (rest % 1_000_000_000) as i64,
            };
            raw::futex_wait(&self.state, old, Some(&time));
        }
    }
}
