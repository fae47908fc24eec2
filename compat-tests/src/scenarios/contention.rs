//! Pages that several nodes want at once.

use dstd::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use dstd::thread;
use std::hint::black_box;

use crate::cluster;

/// Neighbouring counters on one page, one for each node: all of them get on.
pub(crate) fn false_sharing() -> String {
    const TIMES: u64 = 1_000_000;
    let counters: Vec<AtomicU64> = (0..cluster::size().max(2)).map(|_| AtomicU64::new(0)).collect();
    let ready = AtomicUsize::new(0);
    thread::scope(|scope| {
        for (i, counter) in counters.iter().enumerate() {
            let (ready, count) = (&ready, counters.len());
            cluster::scoped(scope, i, move || {
                ready.fetch_add(1, Ordering::SeqCst);
                while ready.load(Ordering::SeqCst) < count {
                    thread::yield_now();
                }
                for step in 0..TIMES {
                    cluster::pause(step, 4_096);
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert!(counters.iter().all(|counter| counter.load(Ordering::Relaxed) == TIMES));
    format!("{TIMES} each")
}

#[repr(align(4096))]
struct Pages([u8; 8_192]);

#[repr(align(4096))]
struct Apart(AtomicBool);

/// One node writes over the boundary of two pages that other nodes keep writing to: instructions
/// that need both pages get through.
pub(crate) fn two_pages() -> String {
    const TIMES: u8 = 100;
    let mut pages = Box::new(Pages([0; 8_192]));
    let done = Box::new(Apart(AtomicBool::new(false)));
    let (low, rest) = pages.0.split_at_mut(4_096 - 8);
    let (middle, high) = rest.split_at_mut(16);
    let done = &done.0;
    thread::scope(|scope| {
        cluster::scoped(scope, 0, || hammer(&mut low[4_000..], done));
        cluster::scoped(scope, 2, || hammer(&mut high[..80], done));
        cluster::scoped(scope, 1, || {
            let mut last = [0; 16];
            for n in 1..=TIMES {
                cluster::pause(u64::from(n), 2);
                assert_eq!(*middle, last);
                last = [n; 16];
                black_box(&mut *middle).copy_from_slice(black_box(&last));
            }
            done.store(true, Ordering::SeqCst);
        });
    });
    assert_eq!(pages.0[4_088..4_104], [TIMES; 16]);
    format!("{TIMES} writes")
}

fn hammer(bytes: &mut [u8], done: &AtomicBool) {
    let mut turn = 0_u8;
    while !done.load(Ordering::Relaxed) {
        turn = turn.wrapping_add(1);
        black_box(&mut *bytes).fill(turn);
    }
    assert!(bytes.iter().all(|byte| *byte == turn));
}

/// Two counters that different nodes count up on different lines, and nothing else on their page.
#[derive(Default)]
#[repr(align(4096))]
struct Neighbours {
    left: AtomicU64,
    right: AtomicU64,
}

/// Nodes 0 and 1 count up one counter each, many times, beside each other; the lines on which they do.
fn count(left: &AtomicU64, right: &AtomicU64) -> [u32; 2] {
    const TIMES: u64 = 500_000;
    let ready = &AtomicUsize::new(0);
    let meet = move || {
        ready.fetch_add(1, Ordering::SeqCst);
        while ready.load(Ordering::SeqCst) < 2 {
            thread::yield_now();
        }
    };
    thread::scope(|scope| {
        let left = cluster::scoped(scope, 0, move || {
            meet();
            for step in 0..TIMES {
                cluster::pause(step, 4_096);
                left.fetch_add(1, Ordering::Relaxed);
            }
            line!() - 2
        });
        let right = cluster::scoped(scope, 1, move || {
            meet();
            for step in 0..TIMES {
                cluster::pause(step, 4_096);
                right.fetch_add(1, Ordering::Relaxed);
            }
            line!() - 2
        });
        [left.join().unwrap(), right.join().unwrap()]
    })
}

fn page_of(counter: &AtomicU64) -> usize {
    &raw const *counter as usize & !4_095
}

/// Neighbours in one block of one page, written from two lines on two nodes: tells the page, the lines, and where the
/// block was allocated.
pub(crate) fn neighbours() -> String {
    let (counters, allocated) = (Box::new(Neighbours::default()), line!());
    let lines = count(&counters.left, &counters.right);
    format!("{:#x} {} {} {allocated} {allocated}", page_of(&counters.left), lines[0], lines[1])
}

/// Two small blocks on one page, allocated on two lines among others: tells the same.
pub(crate) fn small_neighbours() -> String {
    let mut pairs = Vec::new();
    for _ in 0..200 {
        let left = Box::new(AtomicU64::new(0));
        let right = Box::new(AtomicU64::new(0));
        pairs.push((left, right));
    }
    let allocated = line!() - 4;
    let (left, right) =
        pairs.iter().find(|(left, right)| page_of(left) == page_of(right)).expect("a page has many blocks");
    let lines = count(left, right);
    format!("{:#x} {} {} {allocated} {}", page_of(left), lines[0], lines[1], allocated + 1)
}

/// Two counters in the middle of a large block.
pub(crate) fn large_neighbours() -> String {
    let (counters, allocated) = ((0..1 << 20).map(AtomicU64::new).collect::<Vec<_>>(), line!());
    let middle = counters.len() / 2;
    let left = counters[middle..].iter().find(|counter| page_of(counter) == &raw const **counter as usize);
    let left = left.expect("a page begins somewhere");
    let right = &counters[middle..][..1024].iter().rfind(|counter| page_of(counter) == page_of(left));
    let right = right.expect("it has other counters");
    let lines = count(left, right);
    format!("{:#x} {} {} {allocated} {allocated}", page_of(left), lines[0], lines[1])
}

/// Two counters in one static.
pub(crate) fn static_neighbours() -> String {
    static BOTH_COUNTERS: Neighbours = Neighbours { left: AtomicU64::new(0), right: AtomicU64::new(0) };
    let lines = count(&BOTH_COUNTERS.left, &BOTH_COUNTERS.right);
    format!("{:#x} {} {}", page_of(&BOTH_COUNTERS.left), lines[0], lines[1])
}

/// Two nodes write neighbouring bytes until somebody ends the program.
pub(crate) fn run_on() -> String {
    let counters = Neighbours::default();
    thread::scope(|scope| {
        for (i, counter) in [&counters.left, &counters.right].into_iter().enumerate() {
            cluster::scoped(scope, i, move || {
                if i == 1 {
                    println!("both run");
                }
                for step in 0_u64.. {
                    cluster::pause(step, 4_096);
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    "never".to_owned()
}
