//! What single operations cost between this node and the last one; one line each for `xtask bench`:
//! name, smallest, median and largest of so many results, in microseconds. `measure WORD..` measures only those, each
//! as often as its word is given. The same source is built on std, where the last node is this one.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a measurement that meets an error has failed and may panic")]

#[path = "measure/locks.rs"]
mod locks;
#[path = "measure/single.rs"]
mod single;

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Instant;

use dstd::place::{self, NodeId};
use dstd::sync::Arc;
use dstd::sync::atomic::{AtomicU64, Ordering};
use dstd::thread;

const ROUNDS: usize = 200;
const PAGE_WORDS: usize = 4_096 / 8;
/// A random order of pages keeps read-ahead from helping: this step meets all of a power of two.
const STRIDE: usize = 1_237;
const PAGES: usize = 1_024;

/// A word, what it is called in the results, and how it is measured with another node.
type Operation = (&'static str, &'static str, fn(NodeId) -> Vec<f64>);

const OPERATIONS: &[Operation] = &[
    ("spawn", "spawn and join", |last| repeat(|| place::spawn_on(last, || ()).join().unwrap())),
    ("call", "call", |last| repeat(|| place::call(last, || ()))),
    ("read", "read a page of another node", |last| {
        let pages = place::call(last, || vec![1_u64; PAGES * PAGE_WORDS]);
        touch(|at| assert_eq!(black_box(&pages)[at], 1))
    }),
    ("write", "write a page of another node", |last| {
        let mut pages = place::call(last, || vec![1_u64; PAGES * PAGE_WORDS]);
        touch(|at| pages[at] = black_box(2))
    }),
    ("atomic", "hand an atomic back and forth", ping_pong),
    ("handover", "hand a mutex to a thread that waits for it", locks::hand_over),
    ("alternate", "alternate through a mutex", locks::alternate),
    ("mutex", "lock and unlock a mutex of another node, per 1000", locks::alone),
    ("mutex_shared", "lock and unlock a contended mutex, per 1000", locks::shared),
    ("sequential", "read 64 MiB in order, per page", sequential),
    ("stream", "read 256 MiB of another node", |last| {
        streams(last, |words| {
            assert_eq!(words.iter().sum::<u64>(), STREAM_WORDS as u64);
        })
    }),
    ("write_stream", "overwrite 256 MiB of another node", |last| {
        streams(last, |words| words.fill(black_box(2)))
    }),
    ("home_stream", "read 256 MiB that another node overwrote", |last| {
        home_streams(last, |words| assert_eq!(words.iter().sum::<u64>(), 2 * STREAM_WORDS as u64))
    }),
    ("home_write_stream", "overwrite 256 MiB that another node overwrote", |last| {
        home_streams(last, |words| words.fill(black_box(3)))
    }),
    ("fork", "run a command that is forked", |_| forked(0)),
    ("fork", "run a command that is forked, 100 MiB in use", |_| forked(100 << 20)),
    ("alloc", "allocate and free 64 bytes", |_| repeat_quick(|| drop(black_box(Box::new([0_u64; 8]))))),
    ("alloc", "allocate and free 4 KiB", |_| {
        repeat_quick(|| drop(black_box(Vec::<u8>::with_capacity(4_096))))
    }),
    ("alloc", "allocate a box in a list of 1000, and free it", |_| lists()),
    ("file", "write a byte to a file", |last| writes(last, 1)),
    ("file", "write 64 KiB to a file", |last| writes(last, 64 << 10)),
    ("file", "write 1 MiB to a file", |last| writes(last, 1 << 20)),
    ("alloc", "allocate and free", |_| single::alloc()),
    ("alloc_hot", "allocate and free 64 bytes, per 1000", |_| single::alloc_hot()),
    ("btree", "work on a map of trees", |_| single::btree()),
    ("hashmap", "work on a hash map", |_| single::hashmap()),
    ("channel", "send through channels", |_| single::channel()),
];

/// What takes three nodes: pages whose home is the second one, with the last one as their owner.
const OF_THIRDS: &[Operation] = &[
    ("third_read", "read a page that a third node wrote", |last| {
        let pages = of_a_third(last);
        touch(|at| assert_eq!(black_box(&pages)[at], 2))
    }),
    ("third_write", "write a page that a third node wrote", |last| {
        let mut pages = of_a_third(last);
        touch(|at| pages[at] = black_box(3))
    }),
];

fn main() {
    let last = place::nodes().next_back().expect("there is a first node");
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let of_thirds = if place::nodes().len() > 2 { OF_THIRDS } else { &[] };
    let operations = || OPERATIONS.iter().chain(of_thirds);
    if wanted.is_empty() {
        operations().for_each(|(_, name, measured)| report(name, measured(last)));
    }
    for wanted in wanted {
        let mut found = operations().filter(|(word, ..)| *word == wanted).peekable();
        assert!(found.peek().is_some(), "there is nothing called {wanted:?}");
        found.for_each(|(_, name, measured)| report(name, measured(last)));
    }
}

/// Writes so many bytes to a file that the other node has opened: what it costs to have a system call made there.
fn writes(node: NodeId, len: usize) -> Vec<f64> {
    let path = std::env::temp_dir().join(format!("dstd-measure-{}", std::process::id()));
    let file = {
        let path = path.clone();
        place::call(node, move || File::options().write(true).create_new(true).open(path).unwrap())
    };
    std::fs::remove_file(path).unwrap();
    let mut bytes = vec![0_u8; len];
    repeat(|| {
        // As a program would: what is written has just been made here.
        let next = bytes[0].wrapping_add(1);
        bytes.fill(next);
        file.write_all_at(&bytes, 0).unwrap();
    })
}

/// Runs a program with a user id, which std forks for, while the heap has so many bytes.
fn forked(bytes: usize) -> Vec<f64> {
    let heap = vec![1_u8; bytes];
    let user = std::fs::metadata("/proc/self").unwrap().uid();
    let times = (0..FORKS)
        .map(|_| timed(|| assert!(Command::new("/bin/true").uid(user).status().unwrap().success())))
        .collect();
    drop(black_box(heap));
    times
}

const FORKS: usize = 20;

fn repeat(mut operation: impl FnMut()) -> Vec<f64> {
    (0..ROUNDS).map(|_| timed(&mut operation)).collect()
}

/// Times operations that are shorter than looking at the clock.
fn repeat_quick(mut operation: impl FnMut()) -> Vec<f64> {
    let mut round = || (0..QUICK).for_each(|_| operation());
    repeat(&mut round).into_iter().map(|time| time / QUICK as f64).collect()
}

const QUICK: usize = 10_000;

/// Boxes that live together for a while; per box.
fn lists() -> Vec<f64> {
    let mut round = || drop(black_box((0..1_000_u64).map(Box::new).collect::<Vec<Box<u64>>>()));
    repeat(&mut round).into_iter().map(|time| time / 1e3).collect()
}

/// Times the first access to each page, in an order that is not sequential.
fn touch(mut access: impl FnMut(usize)) -> Vec<f64> {
    (0..PAGES).map(|i| timed(|| access(i * STRIDE % PAGES * PAGE_WORDS))).collect()
}

/// Pages of the second node that `owner` has written.
fn of_a_third(owner: NodeId) -> Vec<u64> {
    let home = place::nodes().nth(1).expect("there are three nodes");
    let mut pages = place::call(home, || vec![0_u64; PAGES * PAGE_WORDS]);
    place::call(owner, move || {
        pages.fill(2);
        pages
    })
}

fn timed(operation: impl FnOnce()) -> f64 {
    let start = Instant::now();
    operation();
    start.elapsed().as_secs_f64() * 1e6
}

/// Two threads store to one word in turn.
fn ping_pong(other: NodeId) -> Vec<f64> {
    let ball = Arc::new(AtomicU64::new(0));
    let wait = |ball: &AtomicU64, value| {
        while ball.load(Ordering::Acquire) != value {
            thread::yield_now();
        }
    };
    let partner = place::spawn_on(other, {
        let ball = Arc::clone(&ball);
        move || {
            for round in 0..ROUNDS as u64 {
                wait(&ball, 2 * round + 1);
                ball.store(2 * round + 2, Ordering::Release);
            }
        }
    });
    let rounds = (0..ROUNDS as u64).map(|round| {
        timed(|| {
            ball.store(2 * round + 1, Ordering::Release);
            wait(&ball, 2 * round + 2);
        })
    });
    let rounds = rounds.collect();
    partner.join().unwrap();
    rounds
}

/// Goes through a large buffer that the other node has just written.
fn streams(node: NodeId, walk: fn(&mut [u64])) -> Vec<f64> {
    let round = || {
        let mut words = place::call(node, || vec![1_u64; STREAM_WORDS]);
        timed(|| walk(black_box(&mut words)))
    };
    (0..STREAMS).map(|_| round()).collect()
}

/// Goes through a large buffer of this node that the other one has just written.
fn home_streams(node: NodeId, walk: fn(&mut [u64])) -> Vec<f64> {
    let round = || {
        let mut words = vec![1_u64; STREAM_WORDS];
        words = place::call(node, move || {
            words.fill(2);
            words
        });
        timed(|| walk(black_box(&mut words)))
    };
    (0..STREAMS).map(|_| round()).collect()
}

const STREAM_WORDS: usize = (256 << 20) / 8;
const STREAMS: usize = 3;

/// Reads a large buffer from front to back; per page.
fn sequential(node: NodeId) -> Vec<f64> {
    const BYTES: usize = 64 << 20;
    let rounds = (0..3).map(|round| {
        let words = place::call(node, move || vec![round; BYTES / 8]);
        let mut sum = 0;
        let time = timed(|| sum = words.iter().sum::<u64>());
        assert_eq!(sum, round * (BYTES / 8) as u64);
        time / (BYTES / 4_096) as f64
    });
    rounds.collect()
}

fn report(name: &str, mut results: Vec<f64>) {
    results.sort_by(f64::total_cmp);
    let (lo, hi) = (results[0], results[results.len() - 1]);
    println!("{name}\t{lo}\t{}\t{hi}\t{}", results[results.len() / 2], results.len());
}
