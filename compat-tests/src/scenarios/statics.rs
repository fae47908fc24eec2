//! Statics of the program and of its crates are one variable for the whole cluster.

use std::hint::black_box;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, OnceLock, RwLock};

use dstd::collections::{HashMap, HashSet};
use once_cell::sync::Lazy;

use crate::cluster;

static IN_DATA: AtomicUsize = AtomicUsize::new(1_000);
static IN_BSS: AtomicUsize = AtomicUsize::new(0);
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static PAIR: RwLock<(u64, u64)> = RwLock::new((1, 1));
static TURN: Mutex<usize> = Mutex::new(0);
static TURNED: Condvar = Condvar::new();
static INITIALISED: AtomicUsize = AtomicUsize::new(0);
static MAP: LazyLock<Mutex<HashMap<String, usize>>> = LazyLock::new(|| {
    INITIALISED.fetch_add(1, Ordering::SeqCst);
    Mutex::default()
});
static LAZY: Lazy<RwLock<Vec<usize>>> = Lazy::new(|| {
    INITIALISED.fetch_add(1, Ordering::SeqCst);
    RwLock::default()
});
static CELL: OnceLock<String> = OnceLock::new();
static STEP: Mutex<fn(usize) -> usize> = Mutex::new(add_one);
static WORD: AtomicPtr<AtomicUsize> = AtomicPtr::new(std::ptr::null_mut());
static BYTES: Mutex<[u8; BIG]> = Mutex::new([0; BIG]);
static WORDS: [AtomicU32; 1 << 20] = [const { AtomicU32::new(0) }; 1 << 20];
static FILLED: Mutex<[u64; 2_048]> = Mutex::new([7; 2_048]);

const TIMES: usize = 10_000;
const BIG: usize = 8 << 20;

fn add_one(x: usize) -> usize {
    x + 1
}

fn double(x: usize) -> usize {
    x * 2
}

/// Counters, locks, lazily made values, a function pointer.
pub(crate) fn program() -> String {
    let count = 2 * cluster::size();
    *STEP.lock().unwrap() = double;
    LINES.lock().unwrap().push(String::from("main"));
    let threads: Vec<_> = (0..count).map(|i| cluster::spawn(i, move || use_all(i, count))).collect();
    let seen: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(seen.iter().all(|first| *first == seen[0]));
    assert_eq!(IN_DATA.load(Ordering::SeqCst), 1_000 + count * TIMES);
    assert_eq!(IN_BSS.load(Ordering::SeqCst), count * TIMES);
    let lines = LINES.lock().unwrap();
    assert_eq!(lines.len(), 1 + count);
    assert_eq!(lines.iter().collect::<HashSet<_>>().len(), 1 + count);
    assert_eq!(*PAIR.read().unwrap(), (1 + count as u64, 1 + 2 * count as u64));
    assert_eq!(*TURN.lock().unwrap(), count);
    assert_eq!(INITIALISED.load(Ordering::SeqCst), 2);
    assert_eq!(MAP.lock().unwrap().values().sum::<usize>(), count * 10);
    assert_eq!(LAZY.read().unwrap().len(), count);
    assert!(WORD.load(Ordering::SeqCst).is_null());
    format!("{}", IN_DATA.load(Ordering::SeqCst))
}

fn use_all(i: usize, count: usize) -> String {
    assert_eq!(STEP.lock().unwrap()(21), 42);
    for step in 0..TIMES {
        cluster::pause(step as u64, 256);
        IN_DATA.fetch_add(1, Ordering::Relaxed);
        IN_BSS.fetch_add(1, Ordering::Relaxed);
    }
    LINES.lock().unwrap().push(format!("line of {i}"));
    {
        let mut pair = PAIR.write().unwrap();
        pair.0 += 1;
        pair.1 += 2;
    }
    let mut turn = TURNED.wait_while(TURN.lock().unwrap(), |turn| *turn != i).unwrap();
    *turn += 1;
    TURNED.notify_all();
    drop(turn);
    for n in 0..10 {
        *MAP.lock().unwrap().entry(format!("key {n}")).or_default() += 1;
    }
    LAZY.write().unwrap().push(i);
    assert!(MAP.lock().unwrap().len() == 10 && i < count);
    CELL.get_or_init(|| format!("made by {i}")).clone()
}

/// The same in a crate that knows only std, and inside a generic function.
pub(crate) fn third_crate() -> String {
    let count = 2 * cluster::size();
    third::FROM_SEVEN.fetch_add(3, Ordering::SeqCst);
    let threads: Vec<_> = (0..count)
        .map(|i| {
            cluster::spawn(i, move || {
                for n in 0..300_u32 {
                    cluster::pause(n.into(), 4);
                    third::FROM_SEVEN.fetch_add(1, Ordering::Relaxed);
                    third::FROM_ZERO.fetch_add(2, Ordering::Relaxed);
                    third::add(n);
                    third::add(u64::from(n) + 1);
                    if n % 10 == 0 {
                        third::names(&format!("name {}", n % 50));
                    }
                }
                third::first(&format!("first is {i}"))
            })
        })
        .collect();
    let firsts: Vec<&'static str> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(firsts[0].starts_with("first is ") && firsts.iter().all(|first| *first == firsts[0]));
    assert_eq!(third::FROM_SEVEN.load(Ordering::SeqCst), 10 + 300 * count);
    assert_eq!(third::FROM_ZERO.load(Ordering::SeqCst), 600 * count);
    assert_eq!(third::names_total(), (5, 30 * count));
    assert_eq!(third::INITIALISED.load(Ordering::SeqCst), 1);
    // 0 + 1 + .. + 299 and 1 + 2 + .. + 300.
    let expected = count as u64 * (44_850 + 45_150);
    assert_eq!(third::add(0_u8), expected);
    format!("{expected}")
}

/// Statics of many pages, in .bss and in .data.
pub(crate) fn big() -> String {
    let size = cluster::size();
    cluster::everywhere(move |i| {
        for k in (i..BIG).step_by(4_001 * size) {
            BYTES.lock().unwrap()[k] += 1;
        }
        for word in WORDS.iter().skip(i).step_by(97) {
            word.fetch_add(1, Ordering::Relaxed);
        }
        let mut filled = FILLED.lock().unwrap();
        filled.iter_mut().for_each(|word| *word *= 2);
    });
    let touched = (0..size).flat_map(|i| (i..BIG).step_by(4_001 * size)).collect::<Vec<_>>();
    let bytes = BYTES.lock().unwrap();
    assert!(touched.iter().all(|k| bytes[*k] == 1));
    assert_eq!(black_box(&*bytes).iter().map(|byte| usize::from(*byte)).sum::<usize>(), touched.len());
    let marks: usize = WORDS.iter().map(|word| word.load(Ordering::Relaxed) as usize).sum();
    assert_eq!(marks, (0..size).map(|i| ((1 << 20) - i).div_ceil(97)).sum::<usize>());
    assert!(FILLED.lock().unwrap().iter().all(|word| *word == 7 << size));
    format!("{} bytes", touched.len())
}
