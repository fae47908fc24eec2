//! Locks, counters and one-time initialisation.

use dstd::collections::HashMap;
use dstd::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use dstd::sync::{Arc, LazyLock, Mutex, Once, OnceLock, RwLock};
use dstd::thread;

use crate::cluster;

/// A mutex counts exactly, and its `Arc` counts its owners exactly.
pub(crate) fn arc_mutex() -> String {
    const TIMES: u64 = 20_000;
    let counter = Arc::new(Mutex::new((0_u64, Vec::new())));
    let threads: Vec<_> = (0..2 * cluster::size())
        .map(|i| {
            let counter = Arc::clone(&counter);
            cluster::spawn(i, move || {
                for step in 0..TIMES {
                    cluster::pause(step, 64);
                    let mut guard = counter.lock().unwrap();
                    guard.0 += 1;
                    if step % 1_000 == 0 {
                        guard.1.push(i);
                    }
                }
            })
        })
        .collect();
    let count = threads.len();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(Arc::strong_count(&counter), 1);
    let (total, visits) = Arc::into_inner(counter).unwrap().into_inner().unwrap();
    assert_eq!(total, TIMES * count as u64);
    assert_eq!(visits.len() as u64, TIMES / 1_000 * count as u64);
    assert!((0..count).all(|i| visits.iter().filter(|visit| **visit == i).count() as u64 == TIMES / 1_000));
    format!("{total}")
}

/// Atomics count exactly, and a clone of an `Arc` made anywhere counts.
pub(crate) fn arc_atomic() -> String {
    const TIMES: u64 = 1_000_000;
    let counter = Arc::new(AtomicU64::new(0));
    let drops = Arc::new(());
    cluster::everywhere({
        let (counter, drops) = (Arc::clone(&counter), Arc::clone(&drops));
        move |_| {
            for step in 0..TIMES {
                cluster::pause(step, 4_096);
                counter.fetch_add(1, Ordering::Relaxed);
                if step % 1_000 == 0 {
                    drop(Arc::clone(&drops));
                }
            }
        }
    });
    assert_eq!(Arc::strong_count(&drops), 1);
    let total = counter.load(Ordering::Relaxed);
    assert_eq!(total, TIMES * cluster::size() as u64);
    format!("{total}")
}

/// Readers never see half a write; writers count exactly; `try_*` tell the truth.
pub(crate) fn rwlock() -> String {
    const TIMES: u64 = 300;
    let pair = RwLock::new((0_u64, String::from("0")));
    let reads = AtomicU64::new(0);
    thread::scope(|scope| {
        for i in 0..cluster::size() {
            cluster::scoped(scope, i, || {
                for step in 0..TIMES {
                    cluster::pause(step, 4);
                    let mut pair = pair.write().unwrap();
                    pair.0 += 1;
                    pair.1 = pair.0.to_string();
                }
            });
            cluster::scoped(scope, i + 1, || {
                let mut last = 0;
                for step in 0..TIMES {
                    cluster::pause(step, 4);
                    let pair = pair.read().unwrap();
                    assert_eq!(pair.0.to_string(), pair.1);
                    assert!(pair.0 >= last);
                    last = pair.0;
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let held = pair.write().unwrap();
    let refused = thread::scope(|scope| {
        cluster::scoped(scope, 1, || pair.try_read().is_err() && pair.try_write().is_err()).join().unwrap()
    });
    assert!(refused);
    drop(held);
    let pair = pair.into_inner().unwrap();
    let total = TIMES * cluster::size() as u64;
    assert_eq!(pair, (total, total.to_string()));
    assert_eq!(reads.into_inner(), total);
    format!("{total}")
}

/// A map of counts behind a mutex, filled from everywhere, equals the one counted alone.
pub(crate) fn word_map() -> String {
    const ROUNDS: u64 = 300;
    const TEXT: &str = "in the beginning was the word and the word was with all the nodes in the cluster";
    let mut alone: HashMap<String, u64> = HashMap::new();
    let shared: Mutex<HashMap<String, u64>> = Mutex::default();
    for i in 0..cluster::size() {
        for word in TEXT.split(' ').skip(i) {
            *alone.entry(word.to_owned()).or_default() += ROUNDS;
        }
    }
    thread::scope(|scope| {
        for i in 0..cluster::size() {
            let shared = &shared;
            cluster::scoped(scope, i, move || {
                for round in 0..ROUNDS {
                    cluster::pause(round, 2);
                    for word in TEXT.split(' ').skip(i) {
                        *shared.lock().unwrap().entry(word.to_owned()).or_default() += 1;
                    }
                }
            });
        }
    });
    let shared = shared.into_inner().unwrap();
    assert_eq!(shared, alone);
    format!("{} words", shared.len())
}

/// An initialiser runs once in the cluster, and everybody sees its value.
pub(crate) fn once() -> String {
    for _ in 0..20 {
        let runs = AtomicUsize::new(0);
        let once = Once::new();
        let cell = OnceLock::new();
        let lazy = LazyLock::new(|| {
            runs.fetch_add(1, Ordering::Relaxed);
            vec![String::from("lazy"); 3]
        });
        let wins = AtomicUsize::new(0);
        thread::scope(|scope| {
            for i in 0..2 * cluster::size() {
                let (runs, once, cell, lazy, wins) = (&runs, &once, &cell, &lazy, &wins);
                cluster::scoped(scope, i, move || {
                    once.call_once(|| {
                        runs.fetch_add(1, Ordering::Relaxed);
                    });
                    assert!(once.is_completed());
                    let value = cell.get_or_init(|| {
                        runs.fetch_add(1, Ordering::Relaxed);
                        format!("made by {i}")
                    });
                    assert!(value.starts_with("made by "));
                    if *value == format!("made by {i}") {
                        wins.fetch_add(1, Ordering::Relaxed);
                    }
                    assert_eq!(lazy.concat(), "lazylazylazy");
                });
            }
        });
        assert_eq!(runs.load(Ordering::Relaxed), 3);
        assert_eq!(wins.load(Ordering::Relaxed), 1);
    }
    String::from("20 rounds")
}
