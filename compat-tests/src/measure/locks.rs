//! A std mutex between this node and another one.

use std::hint::black_box;
use std::time::{Duration, Instant};

use dstd::place::{self, NodeId};
use dstd::sync::{Arc, Barrier, Mutex};
use dstd::thread;

use crate::{ROUNDS, timed};

/// How long a thread holds the mutex: the other one has come to wait for it by then.
const HELD: Duration = Duration::from_micros(400);
/// How long it stays away afterwards: the other one has got it by then.
const AWAY: Duration = Duration::from_micros(200);
/// Times a mutex is locked in one sample of those that are not handed over.
const LOCKS: u64 = 1_000;

/// What the mutex protects: whose turn it is, and since when it is free for that.
struct Turn {
    count: u64,
    free_since: Instant,
}

/// From the release of the mutex on one node until a thread that sleeps for it on the other node has it; both ways.
/// The clocks are those of one host.
pub(crate) fn hand_over(other: NodeId) -> Vec<f64> {
    let mutex = Arc::new(Mutex::new(Turn { count: 0, free_since: Instant::now() }));
    let ready = Arc::new(Barrier::new(2));
    let theirs = place::spawn_on(other, {
        let (mutex, ready) = (Arc::clone(&mutex), Arc::clone(&ready));
        move || {
            ready.wait();
            thread::sleep(AWAY);
            wait_in_turn(&mutex, 1)
        }
    });
    ready.wait();
    let mut times = wait_in_turn(&mutex, 0);
    // Nobody has handed it to the first one.
    times.remove(0);
    times.extend(theirs.join().unwrap());
    assert_eq!(mutex.lock().unwrap().count, 2 * ROUNDS as u64);
    times
}

/// Has the mutex `ROUNDS` times, whenever its count has this parity; how long it took to get it each time.
fn wait_in_turn(mutex: &Mutex<Turn>, parity: u64) -> Vec<f64> {
    let round = || loop {
        let mut turn = mutex.lock().unwrap();
        if turn.count % 2 != parity {
            // The other one was late.
            drop(turn);
            thread::sleep(AWAY);
            continue;
        }
        let time = turn.free_since.elapsed();
        thread::sleep(HELD);
        // The page with the mutex comes back before the clock runs.
        turn.count += 1;
        turn.free_since = Instant::now();
        drop(turn);
        thread::sleep(AWAY);
        return time.as_secs_f64() * 1e6;
    };
    (0..ROUNDS).map(|_| round()).collect()
}

/// Two threads change what one mutex protects in strict turns, and try again at once when it is not theirs: the
/// time of a turn.
pub(crate) fn alternate(other: NodeId) -> Vec<f64> {
    let mutex = Arc::new(Mutex::new(0_u64));
    let theirs = place::spawn_on(other, {
        let mutex = Arc::clone(&mutex);
        move || (0..ROUNDS).for_each(|_| take_turn(&mutex, 1))
    });
    // A round is two turns.
    let times = (0..ROUNDS).map(|_| timed(|| take_turn(&mutex, 0)) / 2.0).collect();
    theirs.join().unwrap();
    assert_eq!(*mutex.lock().unwrap(), 2 * ROUNDS as u64);
    times
}

fn take_turn(mutex: &Mutex<u64>, parity: u64) {
    loop {
        let mut count = mutex.lock().unwrap();
        if *count % 2 == parity {
            *count += 1;
            return;
        }
    }
}

/// A mutex in the memory of the other node that only this thread uses.
pub(crate) fn alone(other: NodeId) -> Vec<f64> {
    let mutex = place::call(other, || Arc::new(Mutex::new(0_u64)));
    let times = (0..ROUNDS).map(|_| timed(|| lock_often(&mutex))).collect();
    assert_eq!(*mutex.lock().unwrap(), ROUNDS as u64 * LOCKS);
    times
}

/// A mutex in the memory of the other node that a thread of each node uses all the time.
pub(crate) fn shared(other: NodeId) -> Vec<f64> {
    let mutex = place::call(other, || Arc::new(Mutex::new(0_u64)));
    let ready = Arc::new(Barrier::new(2));
    let theirs = place::spawn_on(other, {
        let (mutex, ready) = (Arc::clone(&mutex), Arc::clone(&ready));
        move || {
            ready.wait();
            (0..ROUNDS).for_each(|_| lock_often(&mutex));
        }
    });
    ready.wait();
    let times = (0..ROUNDS).map(|_| timed(|| lock_often(&mutex))).collect();
    theirs.join().unwrap();
    assert_eq!(*mutex.lock().unwrap(), 2 * ROUNDS as u64 * LOCKS);
    times
}

fn lock_often(mutex: &Mutex<u64>) {
    for _ in 0..LOCKS {
        *black_box(mutex).lock().unwrap() += 1;
    }
}
