//! What single operations cost between this node and the last one; one line each for `xtask bench`:
//! name, smallest, median and largest of so many results, in microseconds. `measure WORD..` measures only those, each
//! as often as its word is given. The same source is built on std, where the last node is this one.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a measurement that meets an error has failed and may panic")]

#[path = "measure/locks.rs"]
mod locks;
#[path = "measure/pages.rs"]
mod pages;
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
/// Words of a large buffer, and of a smaller one.
const STREAM_WORDS: usize = (256 << 20) / 8;
const SEQUENTIAL_WORDS: usize = (64 << 20) / 8;

/// A word, what it is called in the results, and how it is measured with another node.
type Operation = (&'static str, &'static str, fn(NodeId) -> Vec<f64>);

const OPERATIONS: &[Operation] = &[
    ("spawn", "spawn and join", |last| {
        repeat_on(last, || place::spawn_on(last, place::here).join().unwrap())
    }),
    ("call", "call", |last| repeat_on(last, || place::call(last, place::here))),
    ("read", "read a page of another node", |last| pages::touch(last, pages::made_there)),
    ("write", "write a page of another node", |last| pages::overwrite_words(last, pages::made_there)),
    ("atomic", "hand an atomic back and forth", ping_pong),
    ("handover", "hand a mutex to a thread that waits for it", locks::hand_over),
    ("alternate", "alternate through a mutex", locks::alternate),
    ("mutex", "lock and unlock a mutex of another node, per 1000", locks::alone),
    ("mutex_shared", "lock and unlock a contended mutex, per 1000", locks::shared),
    ("sequential", "read 64 MiB in order, per page", |last| {
        let times = pages::read(last, SEQUENTIAL_WORDS, pages::made_there);
        times.into_iter().map(|time| time / (SEQUENTIAL_WORDS / pages::PAGE_WORDS) as f64).collect()
    }),
    ("stream", "read 256 MiB of another node", |last| pages::read(last, STREAM_WORDS, pages::made_there)),
    ("write_stream", "overwrite 256 MiB of another node", |last| {
        pages::overwrite(last, STREAM_WORDS, pages::made_there)
    }),
    ("home_stream", "read 256 MiB that another node overwrote", |last| {
        pages::read(last, STREAM_WORDS, pages::overwritten_there)
    }),
    ("home_write_stream", "overwrite 256 MiB that another node overwrote", |last| {
        pages::overwrite(last, STREAM_WORDS, pages::overwritten_there)
    }),
    ("fork", "run a command that is forked", |_| forked(0)),
    ("fork", "run a command that is forked, 100 MiB in use", |_| forked(100 << 20)),
    ("blocks", "allocate and free 4 KiB", |_| blocks()),
    ("blocks", "allocate a box in a list of 1000, and free it", |_| lists()),
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
    ("third_read", "read a page that a third node wrote", |last| pages::touch(last, pages::made_at_second)),
    ("third_write", "write a page that a third node wrote", |last| {
        pages::overwrite_words(last, pages::made_at_second)
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
        place::call(node, move || File::options().read(true).write(true).create_new(true).open(path).unwrap())
    };
    std::fs::remove_file(path).unwrap();
    let mut bytes = vec![0_u8; len];
    let times = repeat(|| {
        // As a program would: what is written has just been made here.
        let next = bytes[0].wrapping_add(1);
        bytes.fill(next);
        file.write_all_at(&bytes, 0).unwrap();
    });
    let mut written = vec![0; len];
    file.read_exact_at(&mut written, 0).unwrap();
    assert_eq!(written, [ROUNDS as u8].repeat(len));
    times
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

/// Times operations that say on which node they ran: this one.
fn repeat_on(node: NodeId, mut operation: impl FnMut() -> NodeId) -> Vec<f64> {
    let round = |_| {
        let mut ran_on = None;
        let time = timed(|| ran_on = Some(operation()));
        assert_eq!(ran_on, Some(node));
        time
    };
    (0..ROUNDS).map(round).collect()
}

/// Blocks of a page, each freed at once; per block.
fn blocks() -> Vec<f64> {
    const BLOCKS: usize = 10_000;
    let mut round = || (0..BLOCKS).for_each(|_| drop(black_box(Vec::<u8>::with_capacity(4_096))));
    // Each is shorter than looking at the clock.
    repeat(&mut round).into_iter().map(|time| time / BLOCKS as f64).collect()
}

/// Boxes that live together for a while; per box.
fn lists() -> Vec<f64> {
    let mut round = || drop(black_box((0..1_000_u64).map(Box::new).collect::<Vec<Box<u64>>>()));
    repeat(&mut round).into_iter().map(|time| time / 1e3).collect()
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

fn report(name: &str, mut results: Vec<f64>) {
    results.sort_by(f64::total_cmp);
    let (lo, hi) = (results[0], results[results.len() - 1]);
    println!("{name}\t{lo}\t{}\t{hi}\t{}", results[results.len() / 2], results.len());
}
