//! parking_lot: its table of waiters is a static, and its queues link the waiting threads' thread-locals.

use dstd::sync::Arc;
use dstd::sync::atomic::{AtomicU64, Ordering};
use dstd::thread;
use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
use std::time::{Duration, Instant};

use crate::cluster;

static LOCKED: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Mutexes in a static and on the heap, fair and unfair.
pub(crate) fn mutex() -> String {
    const TIMES: u64 = 1_500;
    let own = Arc::new(Mutex::new(0_u64));
    cluster::everywhere({
        let own = Arc::clone(&own);
        move |i| {
            for step in 0..TIMES {
                cluster::pause(step, 32);
                let mut guard = own.lock();
                *guard += 1;
                if step % 16 == 0 {
                    MutexGuard::unlock_fair(guard);
                    LOCKED.lock().push(i);
                }
            }
        }
    });
    assert_eq!(*own.lock(), TIMES * cluster::size() as u64);
    let visits = LOCKED.lock();
    for i in 0..cluster::size() {
        assert_eq!(visits.iter().filter(|visit| **visit == i).count() as u64, TIMES.div_ceil(16));
    }
    format!("{} visits", visits.len())
}

/// Readers see whole writes, and upgrade.
pub(crate) fn rwlock() -> String {
    const TIMES: u64 = 400;
    let pair = Arc::new(RwLock::new([0_u64; 2]));
    cluster::everywhere({
        let pair = Arc::clone(&pair);
        move |_| {
            for step in 0..TIMES {
                cluster::pause(step, 16);
                let [a, b] = *pair.read();
                assert_eq!(2 * a, b);
                let mut guard = if step % 2 == 0 {
                    pair.write()
                } else {
                    parking_lot::RwLockUpgradableReadGuard::upgrade(pair.upgradable_read())
                };
                guard[0] += 1;
                guard[1] += 2;
            }
        }
    });
    let total = TIMES * cluster::size() as u64;
    assert_eq!(*pair.read(), [total, 2 * total]);
    format!("{total} writes")
}

/// Turns are taken in order, by waiters that are woken one by one or all at once (which moves them to the
/// mutex's queue).
pub(crate) fn condvar() -> String {
    const ROUNDS: usize = 60;
    let size = cluster::size();
    let shared = Arc::new((Mutex::new(0_usize), Condvar::new()));
    cluster::everywhere({
        let shared = Arc::clone(&shared);
        move |i| {
            let (turn, turned) = &*shared;
            for _ in 0..ROUNDS {
                let mut guard = turn.lock();
                turned.wait_while(&mut guard, |turn| *turn % size != i);
                *guard += 1;
                turned.notify_all();
            }
        }
    });
    assert_eq!(*shared.0.lock(), ROUNDS * size);
    format!("{} turns", ROUNDS * size)
}

/// Waits end at their time, wherever the lock and its holder are, and not before.
pub(crate) fn timeouts() -> String {
    const WAIT: Duration = Duration::from_millis(30);
    let lock = Mutex::new(5);
    let signal = Condvar::new();
    let early = AtomicU64::new(0);
    let guard = lock.lock();
    thread::scope(|scope| {
        for i in 0..cluster::size() {
            let (lock, early) = (&lock, &early);
            cluster::scoped(scope, i, move || {
                let start = Instant::now();
                assert!(lock.try_lock_for(WAIT).is_none());
                early.fetch_add(u64::from(start.elapsed() < WAIT), Ordering::Relaxed);
            });
        }
    });
    drop(guard);
    thread::scope(|scope| {
        for i in 0..cluster::size() {
            let (lock, signal) = (&lock, &signal);
            cluster::scoped(scope, i, move || {
                let mut guard = lock.lock();
                assert!(signal.wait_for(&mut guard, WAIT).timed_out());
                assert_eq!(*guard, 5);
            });
        }
    });
    assert_eq!(early.into_inner(), 0);
    format!("{} waits", 2 * cluster::size())
}
