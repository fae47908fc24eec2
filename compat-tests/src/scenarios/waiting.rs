//! Barriers and condition variables.

use dstd::sync::atomic::{AtomicUsize, Ordering};
use dstd::sync::{Arc, Barrier, Condvar, Mutex};
use dstd::thread;
use std::time::{Duration, Instant};

use crate::cluster;

/// Longer than any test may take: whoever waits this long was not woken.
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// Nobody passes before all have come, and one of them leads each round.
pub(crate) fn barrier() -> String {
    const ROUNDS: usize = 50;
    let count = 2 * cluster::size();
    let barrier = Barrier::new(count);
    let (arrived, leaders) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for i in 0..count {
            cluster::scoped(scope, i, || {
                for round in 1..=ROUNDS {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    if barrier.wait().is_leader() {
                        leaders.fetch_add(1, Ordering::SeqCst);
                    }
                    assert!(arrived.load(Ordering::SeqCst) >= round * count);
                    barrier.wait();
                    assert_eq!(leaders.load(Ordering::SeqCst), round);
                    barrier.wait();
                }
            });
        }
    });
    format!("{ROUNDS} rounds")
}

/// A turn goes round all nodes; nobody misses the news.
pub(crate) fn condvar() -> String {
    const TURNS: usize = 300;
    let count = cluster::size().max(2);
    let shared = Arc::new((Mutex::new((0_usize, Vec::new())), Condvar::new()));
    let threads: Vec<_> = (0..count)
        .map(|i| {
            let shared = Arc::clone(&shared);
            cluster::spawn(i, move || {
                let (turn, changed) = &*shared;
                loop {
                    let mut turn = changed
                        .wait_while(turn.lock().unwrap(), |turn| turn.0 < TURNS && turn.0 % count != i)
                        .unwrap();
                    if turn.0 >= TURNS {
                        return;
                    }
                    turn.0 += 1;
                    turn.1.push(i);
                    changed.notify_all();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let (turns, order) = Arc::into_inner(shared).unwrap().0.into_inner().unwrap();
    assert_eq!(turns, TURNS);
    assert!(order.iter().enumerate().all(|(turn, i)| turn % count == *i));
    format!("{TURNS} turns")
}

/// A wait that nobody ends takes its full time, everywhere; one that is ended does not.
pub(crate) fn wait_timeout() -> String {
    const PAUSE: Duration = Duration::from_millis(50);
    let shared = Arc::new((Mutex::new(false), Condvar::new()));
    cluster::everywhere({
        let shared = Arc::clone(&shared);
        move |_| {
            let (done, changed) = &*shared;
            let start = Instant::now();
            let (guard, result) =
                changed.wait_timeout_while(done.lock().unwrap(), PAUSE, |done| !*done).unwrap();
            assert!(result.timed_out() && !*guard);
            assert!(start.elapsed() >= PAUSE, "it waited only {:?}", start.elapsed());
        }
    });
    let waiters: Vec<_> = (0..cluster::size())
        .map(|i| {
            let shared = Arc::clone(&shared);
            cluster::spawn(i, move || {
                let (done, changed) = &*shared;
                let waited = changed.wait_timeout_while(done.lock().unwrap(), FOR_EVER, |done| !*done);
                assert!(!waited.unwrap().1.timed_out());
            })
        })
        .collect();
    cluster::spawn(1, move || {
        *shared.0.lock().unwrap() = true;
        shared.1.notify_all();
    })
    .join()
    .unwrap();
    waiters.into_iter().for_each(|thread| thread.join().unwrap());
    format!("{PAUSE:?}")
}
