//! Parked threads and those who wake them.

use dstd::sync::Arc;
use dstd::sync::atomic::{AtomicUsize, Ordering};
use dstd::thread;
use std::time::{Duration, Instant};

use crate::cluster;

/// Two threads on different nodes wake each other in turn, in both directions.
pub(crate) fn park() -> String {
    const ROUNDS: usize = 200;
    for first in 0..cluster::size() {
        let ball = Arc::new(AtomicUsize::new(0));
        let me = thread::current();
        let other = cluster::spawn(first, {
            let ball = Arc::clone(&ball);
            move || {
                for round in 0..ROUNDS {
                    while ball.load(Ordering::SeqCst) != 2 * round + 1 {
                        thread::park();
                    }
                    ball.store(2 * round + 2, Ordering::SeqCst);
                    me.unpark();
                }
            }
        });
        for round in 0..ROUNDS {
            ball.store(2 * round + 1, Ordering::SeqCst);
            other.thread().unpark();
            while ball.load(Ordering::SeqCst) != 2 * round + 2 {
                thread::park();
            }
        }
        other.join().unwrap();
        assert_eq!(ball.load(Ordering::SeqCst), 2 * ROUNDS);
    }
    format!("{ROUNDS} rounds")
}

/// A pause ends by itself, a token given in advance ends it at once, and so does a wake-up.
pub(crate) fn park_timeout() -> String {
    const PAUSE: Duration = Duration::from_millis(30);
    const FOR_EVER: Duration = Duration::from_secs(3_600);
    cluster::everywhere(|_| {
        let start = Instant::now();
        while start.elapsed() < PAUSE {
            thread::park_timeout(PAUSE);
        }
        thread::current().unpark();
        thread::park_timeout(FOR_EVER);
    });
    let (here, there) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let sleeper = cluster::spawn(1, {
        let (here, there) = (Arc::clone(&here), Arc::clone(&there));
        move || {
            there.store(1, Ordering::SeqCst);
            while here.load(Ordering::SeqCst) == 0 {
                thread::park_timeout(FOR_EVER);
            }
        }
    });
    while there.load(Ordering::SeqCst) == 0 {
        thread::yield_now();
    }
    here.store(1, Ordering::SeqCst);
    sleeper.thread().unpark();
    sleeper.join().unwrap();
    format!("{PAUSE:?}")
}
