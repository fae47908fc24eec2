//! Crates that start their own threads, used as they come.

use dstd::place;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::{Duration, Instant};

use crossbeam_deque::{Injector, Steal, Stealer, Worker};
use crossbeam_epoch::{self as epoch, Atomic, Owned};
use dashmap::DashMap;
use rayon::prelude::*;

use crate::cluster;
use crate::spread::print_nodes;

/// Far more than a thread takes that has nothing else to do.
const PATIENCE: Duration = Duration::from_secs(60);

fn threads() -> usize {
    2 * cluster::size()
}

/// Numbers without an order, the same in each run.
fn numbers(count: u64) -> Vec<u64> {
    (0..count).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) % count).collect()
}

/// Parallel sort and map-reduce on a pool that rayon makes itself.
pub(crate) fn rayon() -> String {
    const COUNT: u64 = 40_000;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads()).build().unwrap();
    let nodes = pool.broadcast(|_| place::here());
    let mut sorted = numbers(COUNT);
    let mut expected = sorted.clone();
    expected.sort_unstable();
    pool.install(|| sorted.par_sort());
    assert_eq!(sorted, expected);
    let words: Vec<String> = (0..2_000).map(|i| format!("{}", i % 97)).collect();
    let total = pool.install(|| {
        words.par_iter().map(|word| word.parse::<u64>().unwrap()).reduce(|| 0, |left, right| left + right)
    });
    assert_eq!(total, (0..2_000).map(|i| i % 97).sum::<u64>());
    let squares: Vec<u64> = pool.install(|| (0..5_000_u64).into_par_iter().map(|i| i * i).collect());
    assert!(squares.iter().zip(0..).all(|(square, i)| *square == i * i));
    print_nodes(nodes);
    format!("{COUNT} numbers")
}

/// Jobs of a pool that counts its threads and waits until they have nothing to do.
pub(crate) fn threadpool() -> String {
    let pool = threadpool::ThreadPool::new(threads());
    let jobs = 20 * threads();
    let (tell, told) = mpsc::channel();
    // Each thread takes one of these.
    let barrier = Arc::new(Barrier::new(threads()));
    for _ in 0..threads() {
        let (tell, barrier) = (tell.clone(), Arc::clone(&barrier));
        pool.execute(move || {
            barrier.wait();
            tell.send((0, place::here())).unwrap();
        });
    }
    for i in 1..=jobs {
        let tell = tell.clone();
        pool.execute(move || {
            // Every 10th fails, and the pool replaces its thread.
            if i % 10 != 0 {
                tell.send((i, place::here())).unwrap();
            } else {
                std::panic::resume_unwind(Box::new(()));
            }
        });
    }
    drop(tell);
    let (mut done, nodes): (Vec<_>, Vec<_>) = told.iter().unzip();
    pool.join();
    done.sort_unstable();
    assert_eq!(done[..threads()], vec![0; threads()]);
    assert_eq!(done[threads()..], (1..=jobs).filter(|i| i % 10 != 0).collect::<Vec<_>>());
    // A thread whose job has failed is idle for the pool a moment before its panic is counted.
    let deadline = Instant::now() + PATIENCE;
    while pool.panic_count() < jobs / 10 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(pool.panic_count(), jobs / 10);
    print_nodes(nodes);
    format!("{jobs} jobs")
}

/// Work stealing between the threads of a scope.
pub(crate) fn deque() -> String {
    const TASKS: u64 = 2_000;
    let injector = Injector::new();
    (0..TASKS).for_each(|task| injector.push(task));
    let workers: Vec<Worker<u64>> = (0..threads()).map(|_| Worker::new_lifo()).collect();
    let stealers: Vec<Stealer<u64>> = workers.iter().map(Worker::stealer).collect();
    let (sum, left) = (AtomicU64::new(0), AtomicUsize::new(TASKS as usize));
    let nodes = Mutex::new(Vec::new());
    crossbeam_utils::thread::scope(|scope| {
        for worker in workers {
            let (injector, stealers, sum, left, nodes) = (&injector, &stealers, &sum, &left, &nodes);
            scope.spawn(move |_| {
                nodes.lock().unwrap().push(place::here());
                while left.load(Ordering::Acquire) > 0 {
                    let task = worker.pop().or_else(|| {
                        let found = injector.steal_batch_and_pop(&worker);
                        let found = found.or_else(|| stealers.iter().map(Stealer::steal).collect());
                        if let Steal::Success(task) = found { Some(task) } else { None }
                    });
                    match task {
                        Some(task) => {
                            sum.fetch_add(task, Ordering::Relaxed);
                            left.fetch_sub(1, Ordering::Release);
                        }
                        None => std::thread::yield_now(),
                    }
                }
            });
        }
    })
    .unwrap();
    assert_eq!(sum.into_inner(), TASKS * (TASKS - 1) / 2);
    print_nodes(nodes.into_inner().unwrap());
    format!("{TASKS} tasks")
}

struct Counted(usize, Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

/// Values that are replaced while others read them, and freed when nobody can.
#[expect(unsafe_code, reason = "crossbeam-epoch has no safe way to free what was replaced")]
pub(crate) fn epochs() -> String {
    const ROUNDS: usize = 100;
    let freed = Arc::new(AtomicUsize::new(0));
    let collector = epoch::Collector::new();
    let shared = Atomic::new(Counted(0, Arc::clone(&freed)));
    let nodes = Mutex::new(Vec::new());
    crossbeam_utils::thread::scope(|scope| {
        for i in 0..threads() {
            let (shared, nodes, freed, collector) = (&shared, &nodes, &freed, &collector);
            scope.spawn(move |_| {
                nodes.lock().unwrap().push(place::here());
                let handle = collector.register();
                for round in 0..ROUNDS {
                    let guard = handle.pin();
                    let new = Owned::new(Counted(i * ROUNDS + round + 1, Arc::clone(freed)));
                    let old = shared.swap(new, Ordering::AcqRel, &guard);
                    // SAFETY: nobody finds the value any more, and it is freed once.
                    unsafe { guard.defer_destroy(old) };
                    let now = shared.load(Ordering::Acquire, &guard);
                    // SAFETY: not null; the guard keeps it.
                    let seen = unsafe { now.deref() };
                    assert!(seen.0 <= threads() * ROUNDS, "{} was never stored", seen.0);
                }
            });
        }
    })
    .unwrap();
    // SAFETY: no other thread has it.
    drop(unsafe { shared.into_owned() });
    drop(collector);
    assert_eq!(freed.load(Ordering::Relaxed), threads() * ROUNDS + 1);
    print_nodes(nodes.into_inner().unwrap());
    format!("{} values", threads() * ROUNDS)
}

/// Scopes within scopes of crossbeam, whose threads borrow from one another, return values and panic.
pub(crate) fn crossbeam_scopes() -> String {
    const EACH: usize = 50;
    let words: Vec<String> = (0..threads() * EACH).map(|i| format!("{i}")).collect();
    let nodes = Mutex::new(Vec::new());
    let sums: Vec<usize> = crossbeam_utils::thread::scope(|scope| {
        let parts: Vec<_> = words
            .chunks(EACH)
            .map(|part| {
                let nodes = &nodes;
                scope.spawn(move |scope| {
                    nodes.lock().unwrap().push(place::here());
                    let halves = [&part[..EACH / 2], &part[EACH / 2..]];
                    let sums = halves.map(|half| {
                        scope.spawn(|_| half.iter().map(|word| word.parse::<usize>().unwrap()).sum::<usize>())
                    });
                    sums.into_iter().map(|sum| sum.join().unwrap()).sum()
                })
            })
            .collect();
        parts.into_iter().map(|part| part.join().unwrap()).collect()
    })
    .unwrap();
    assert_eq!(sums.len(), threads());
    assert_eq!(sums.iter().sum::<usize>(), (0..words.len()).sum::<usize>());
    let outcome = crossbeam_utils::thread::scope(|scope| {
        for i in 0..threads() {
            scope.spawn(move |_| {
                if i % 2 == 1 {
                    std::panic::resume_unwind(Box::new(i));
                }
            });
        }
    });
    let panics = outcome.unwrap_err().downcast::<Vec<Box<dyn std::any::Any + Send>>>().unwrap();
    let mut from: Vec<usize> = panics.iter().map(|panic| *panic.downcast_ref().unwrap()).collect();
    from.sort_unstable();
    assert_eq!(from, (0..threads()).filter(|i| i % 2 == 1).collect::<Vec<_>>());
    print_nodes(nodes.into_inner().unwrap());
    format!("{} threads", 4 * threads())
}

/// Channels of crossbeam, with and without room, between std's threads.
pub(crate) fn channels() -> String {
    const EACH: u64 = 200;
    for room in [None, Some(0), Some(7)] {
        let (send, receive) = room.map_or_else(crossbeam_channel::unbounded, crossbeam_channel::bounded);
        let senders: Vec<_> = (0..threads() as u64)
            .map(|i| {
                let send = send.clone();
                std::thread::spawn(move || (0..EACH).for_each(|n| send.send(i * EACH + n).unwrap()))
            })
            .collect();
        drop(send);
        let receivers: Vec<_> = (0..2)
            .map(|_| {
                let receive = receive.clone();
                std::thread::spawn(move || (receive.iter().collect::<Vec<u64>>(), place::here()))
            })
            .collect();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        let (received, nodes): (Vec<_>, Vec<_>) =
            receivers.into_iter().map(|receiver| receiver.join().unwrap()).unzip();
        let mut received = received.concat();
        received.sort_unstable();
        assert_eq!(received, (0..threads() as u64 * EACH).collect::<Vec<_>>());
        if room.is_none() {
            print_nodes(nodes);
        }
    }
    format!("{} messages", 3 * threads() as u64 * EACH)
}

/// A map of locks without std's.
pub(crate) fn maps() -> String {
    const KEYS: usize = 200;
    let map = Arc::new(DashMap::new());
    let workers: Vec<_> = (0..threads())
        .map(|i| {
            let map = Arc::clone(&map);
            std::thread::spawn(move || {
                for key in 0..KEYS {
                    map.entry(format!("key {key}")).or_insert_with(Vec::new).push(i);
                }
                place::here()
            })
        })
        .collect();
    print_nodes(workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>());
    assert_eq!(map.len(), KEYS);
    for entry in map.iter() {
        let mut seen = entry.value().clone();
        seen.sort_unstable();
        assert_eq!(seen, (0..threads()).collect::<Vec<_>>(), "{}", entry.key());
    }
    format!("{KEYS} keys")
}

/// parking_lot between std's threads.
pub(crate) fn locks() -> String {
    const TURNS: usize = 300;
    let count = Arc::new((parking_lot::Mutex::new(0), parking_lot::Condvar::new()));
    let workers: Vec<_> = (0..threads())
        .map(|i| {
            let count = Arc::clone(&count);
            std::thread::spawn(move || {
                let (count, changed) = &*count;
                for _ in 0..TURNS / threads() {
                    let mut turn = count.lock();
                    changed.wait_while(&mut turn, |turn| *turn % threads() != i);
                    *turn += 1;
                    changed.notify_all();
                }
                place::here()
            })
        })
        .collect();
    print_nodes(workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>());
    let turns = *count.0.lock();
    assert_eq!(turns, TURNS / threads() * threads());
    format!("{turns} turns")
}
