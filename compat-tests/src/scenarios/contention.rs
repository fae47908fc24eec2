//! Pages that several nodes want at once.

use dstd::place;
use dstd::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use dstd::thread;
use std::hint::black_box;

use crate::cluster;
use crate::contended::{Apart, Pages, hammer};

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

/// Two counters that different nodes count up on different lines, and nothing else on their page.
#[derive(Default)]
#[repr(align(4096))]
struct Neighbours {
    left: AtomicU64,
    right: AtomicU64,
}

/// Nodes 0 and 1 take turns at counting up one counter each, so that each time the page is at the other one; the lines on
/// which they do.
fn count(left: &'static AtomicU64, right: &'static AtomicU64) -> [u32; 2] {
    const TURNS: u64 = 200;
    let mut lines = [0; 2];
    for _ in 0..TURNS {
        lines[0] = place::call(cluster::nth(0), move || {
            left.fetch_add(1, Ordering::Relaxed);
            line!() - 1
        });
        lines[1] = place::call(cluster::nth(1), move || {
            right.fetch_add(1, Ordering::Relaxed);
            line!() - 1
        });
    }
    lines
}

const PAGE_BYTES: usize = 4_096;

fn page_of(counter: &AtomicU64) -> usize {
    &raw const *counter as usize & !(PAGE_BYTES - 1)
}

/// Neighbours in one block of one page, written from two lines on two nodes: tells the page, the lines, and where the
/// block was allocated.
pub(crate) fn neighbours() -> String {
    let (counters, allocated) = (Box::leak(Box::new(Neighbours::default())), line!());
    let lines = count(&counters.left, &counters.right);
    format!("{:#x} {} {} {allocated} {allocated}", page_of(&counters.left), lines[0], lines[1])
}

/// Two small blocks on one page, allocated on two lines among others: tells the same.
pub(crate) fn small_neighbours() -> String {
    let mut pairs = Vec::new();
    for _ in 0..1_000 {
        let left = Box::new(AtomicU64::new(0));
        let right = Box::new(AtomicU64::new(0));
        pairs.push((left, right));
    }
    let allocated = line!() - 4;
    let pairs: &'static [_] = pairs.leak();
    // On a page that they fill, nobody else has anything to do.
    let blocks = |page: usize| {
        let all = pairs.iter().flat_map(|(left, right)| [left, right]);
        all.filter(|block| page_of(block) == page).count()
    };
    let is_filled = |page: usize| blocks(page) == PAGE_BYTES / 16;
    let together = pairs.iter().find(|(left, right)| {
        let page = page_of(left);
        page == page_of(right) && is_filled(page)
    });
    let (left, right) = together.expect("they fill some pages");
    let lines = count(left, right);
    format!("{:#x} {} {} {allocated} {}", page_of(left), lines[0], lines[1], allocated + 1)
}

/// Two counters in the middle of a large block.
pub(crate) fn large_neighbours() -> String {
    let (counters, allocated) = ((0..1 << 20).map(AtomicU64::new).collect::<Vec<_>>(), line!());
    let counters: &'static [AtomicU64] = counters.leak();
    let (_, rest) = counters.split_at(counters.len() / 2);
    let first = rest.iter().position(|counter| page_of(counter) == &raw const *counter as usize);
    let page = &rest[first.expect("a page begins somewhere")..][..PAGE_BYTES / size_of::<AtomicU64>()];
    let (left, right) = (&page[0], &page[page.len() - 1]);
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
    let counters = Box::leak(Box::new(Neighbours::default()));
    count(&counters.left, &counters.right);
    println!("both run");
    loop {
        count(&counters.left, &counters.right);
    }
}
