//! Thread-locals lent to threads on other nodes.

use dstd::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use dstd::sync::{Arc, Condvar, Mutex};
use dstd::thread;
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::io::{Read, Seek, SeekFrom, Write};

use crate::cluster;

const LARGE: usize = 16 << 10;

thread_local! {
    static COUNTER: AtomicU64 = const { AtomicU64::new(3) };
    static GATE: (Mutex<u64>, Condvar) = const { (Mutex::new(0), Condvar::new()) };
    static BYTES: RefCell<[u8; LARGE]> = const { RefCell::new([7; LARGE]) };
    static NAME: RefCell<String> = RefCell::new(String::from("nobody"));
    static PLAIN: Cell<u64> = const { Cell::new(11) };
}

/// Threads on all nodes count in a thread-local of each node's thread, which goes on allocating, calling
/// the system and counting meanwhile.
pub(crate) fn counter() -> String {
    const TIMES: u64 = 3_000;
    let totals = cluster::everywhere(|own| {
        COUNTER.with(|counter| {
            thread::scope(|scope| {
                for i in 0..cluster::size() {
                    cluster::scoped(scope, own + i, || {
                        for step in 0..TIMES {
                            cluster::pause(step, 64);
                            counter.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
                for step in 0..TIMES {
                    let text = black_box(vec![step; 64]);
                    let error = std::fs::File::open("/no/such/file").unwrap_err();
                    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
                    cluster::pause(text[63], 64);
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
            counter.load(Ordering::Relaxed)
        })
    });
    let expected = 3 + TIMES * (cluster::size() as u64 + 1);
    assert_eq!(totals, vec![expected; cluster::size()]);
    assert_eq!(COUNTER.with(|counter| counter.load(Ordering::Relaxed)), 3, "main has one of its own");
    format!("{expected} on each of {} nodes", cluster::size())
}

/// The owner sleeps on words of its own thread-local and is woken from elsewhere, and the other way round.
pub(crate) fn waits() -> String {
    const TURNS: u64 = 40;
    let turns = cluster::everywhere(|own| {
        GATE.with(|(turn, turned)| {
            thread::scope(|scope| {
                let other = cluster::scoped(scope, own + 1, || take_turns(turn, turned, 1, TURNS));
                take_turns(turn, turned, 0, TURNS);
                other.join().unwrap();
            });
            *turn.lock().unwrap()
        })
    });
    assert_eq!(turns, vec![2 * TURNS; cluster::size()]);
    format!("{} turns", 2 * TURNS)
}

/// Waits for the even or the odd turns.
fn take_turns(turn: &Mutex<u64>, turned: &Condvar, parity: u64, times: u64) {
    for _ in 0..times {
        let mut guard = turned.wait_while(turn.lock().unwrap(), |turn| *turn % 2 != parity).unwrap();
        *guard += 1;
        turned.notify_one();
    }
}

/// Thousands of short threads, in turns on the same memory, each end while their thread-locals' pages are
/// elsewhere: all can be joined, and each starts with fresh values.
pub(crate) fn short_lives() -> String {
    const EACH: u64 = 500;
    let sums = cluster::everywhere(|own| {
        let mut sum = 0;
        for round in 0..EACH {
            let short = thread::Builder::new();
            let short =
                dstd::place::on(cluster::nth(own), || short.spawn(move || one_life(own, round)).unwrap());
            sum += short.join().unwrap();
        }
        sum
    });
    let expected = (0..EACH).map(|round| 2 * round + 3 + 11).sum::<u64>();
    assert_eq!(sums, vec![expected; cluster::size()]);
    format!("{} threads", EACH * cluster::size() as u64)
}

fn one_life(own: usize, round: u64) -> u64 {
    COUNTER.with(|counter| {
        assert_eq!(counter.load(Ordering::Relaxed), 3, "a fresh thread");
        assert_eq!(PLAIN.get(), 11);
        counter.fetch_add(round, Ordering::Relaxed);
        let plain = PLAIN.replace(round);
        let seen = thread::scope(|scope| {
            // The other node keeps the page: it reads, or writes last.
            let reads = round.is_multiple_of(2);
            let other = cluster::scoped(scope, own + 1, move || {
                if reads { counter.load(Ordering::Relaxed) } else { counter.fetch_add(1, Ordering::Relaxed) }
            });
            other.join().unwrap()
        });
        assert_eq!(seen, 3 + round);
        seen + round + plain
    })
}

/// Detached threads, whose memory serves others after their end, lend as well.
pub(crate) fn detached() -> String {
    const EACH: usize = 60;
    let total = Arc::new(AtomicU64::new(0));
    for i in 0..EACH * cluster::size() {
        let (mine, done) = (Arc::clone(&total), Arc::new((Mutex::new(false), Condvar::new())));
        let tell = Arc::clone(&done);
        drop(cluster::spawn(i, move || {
            COUNTER.with(|counter| {
                thread::scope(|scope| {
                    cluster::scoped(scope, i + 1, || counter.fetch_add(4, Ordering::Relaxed));
                });
                mine.fetch_add(counter.load(Ordering::Relaxed), Ordering::Relaxed);
            });
            *tell.0.lock().unwrap() = true;
            tell.1.notify_all();
        }));
        drop(done.1.wait_while(done.0.lock().unwrap(), |done| !*done).unwrap());
    }
    assert_eq!(total.load(Ordering::Relaxed), 7 * (EACH * cluster::size()) as u64);
    format!("{} threads", EACH * cluster::size())
}

/// A thread-local of several pages is filled, read from a file and written to a file by threads elsewhere.
pub(crate) fn large() -> String {
    let directory = std::env::temp_dir().join(format!("dstd-lent-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    for i in 0..cluster::size() {
        let path = directory.join(i.to_string());
        BYTES.with_borrow_mut(|bytes| {
            assert!(i != 0 || bytes.iter().all(|byte| *byte == 7));
            thread::scope(|scope| {
                let (bytes, path) = (&mut *bytes, &path);
                cluster::scoped(scope, i, move || {
                    bytes.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at % 251 + i) as u8);
                    let mut file =
                        std::fs::File::options().create_new(true).read(true).write(true).open(path).unwrap();
                    file.write_all(bytes).unwrap();
                    bytes.fill(0);
                    file.seek(SeekFrom::Start(0)).unwrap();
                    // The kernel stores into the owner's thread-local.
                    file.read_exact(bytes).unwrap();
                });
            });
            assert!(bytes.iter().enumerate().all(|(at, byte)| *byte == (at % 251 + i) as u8));
            // The kernel loads and stores at home, where pages are away.
            let mut file = std::fs::File::open(&path).unwrap();
            file.read_exact(&mut bytes[1..LARGE / 2]).unwrap();
            assert_eq!(bytes[1], i as u8);
        });
        std::fs::remove_file(path).unwrap();
    }
    std::fs::remove_dir(directory).unwrap();
    format!("{LARGE} bytes")
}

/// What a thread-local owns is seen, changed and dropped from elsewhere.
pub(crate) fn owned() -> String {
    let names = cluster::everywhere(|own| {
        NAME.with_borrow_mut(|name| {
            thread::scope(|scope| {
                let name = &mut *name;
                cluster::scoped(scope, own + 1, move || {
                    assert_eq!(name, "nobody");
                    *name = format!("named on node {}", dstd::place::here());
                });
            });
            name.push('!');
        });
        NAME.take()
    });
    for (own, name) in names.iter().enumerate() {
        assert_eq!(*name, format!("named on node {}!", cluster::nth(own + 1)));
    }
    format!("{} names", names.len())
}

struct Last(AtomicU32, Cell<Option<Arc<AtomicU32>>>, usize);

impl Drop for Last {
    fn drop(&mut self) {
        let count = &self.0;
        let node = self.2;
        let mut local = [0; 600];
        thread::scope(|scope| {
            cluster::scoped(scope, node, || count.fetch_add(5, Ordering::SeqCst));
            let local = &mut local;
            cluster::scoped(scope, node, move || local.fill(node));
        });
        assert_eq!(local, [node; 600]);
        if let Some(seen) = self.1.take() {
            seen.fetch_add(self.0.load(Ordering::SeqCst), Ordering::SeqCst);
        }
    }
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// A thread-local's destructor lends the thread-local itself, and its own locals.
pub(crate) fn destructor() -> String {
    let seen = Arc::new(AtomicU32::new(0));
    for i in 0..cluster::size() {
        let seen = Arc::clone(&seen);
        let thread = cluster::spawn(i, move || {
            LAST.set(Some(Last(AtomicU32::new(i as u32), Cell::new(Some(seen)), i + 1)));
        });
        thread.join().unwrap();
    }
    let nodes = cluster::size() as u32;
    let expected = 5 * nodes + nodes * (nodes - 1) / 2;
    assert_eq!(seen.load(Ordering::SeqCst), expected);
    format!("{expected}")
}

/// A child of `fork` has the thread-locals of the thread that forked, and its writes stay its own,
/// whether or not the page was at another node.
pub(crate) fn forked() -> String {
    let codes = cluster::everywhere(|own| {
        COUNTER.with(|counter| {
            counter.store(20, Ordering::SeqCst);
            thread::scope(|scope| {
                cluster::scoped(scope, own + 1, || counter.fetch_add(2, Ordering::SeqCst));
            });
            let code = in_child(counter);
            (code, counter.load(Ordering::SeqCst))
        })
    });
    assert_eq!(codes, vec![(22, 22); cluster::size()]);
    format!("{} children", codes.len())
}

/// What the counter is for a child, which then changes it.
#[expect(unsafe_code, reason = "std starts programs only")]
fn in_child(counter: &AtomicU64) -> i32 {
    // SAFETY: the child only counts and ends; it has no thread but this one.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let code = counter.swap(99, Ordering::SeqCst) as i32;
        // SAFETY: ends the child without handlers.
        unsafe { libc::_exit(if counter.load(Ordering::SeqCst) == 99 { code } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: the status is writable.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status), "the child's status is {status:#x}");
    libc::WEXITSTATUS(status)
}

/// On a page of its own.
#[repr(align(4096))]
struct Alone(AtomicU32);

/// A page of thread-locals stays where it is needed while its owner does everything else: faults are few.
pub(crate) fn quiet() -> String {
    const TURNS: usize = 3_000;
    COUNTER.with(|counter| {
        let alone = Box::new(Alone(AtomicU32::new(0)));
        let done = &alone.0;
        thread::scope(|scope| {
            let other = cluster::scoped(scope, cluster::size() - 1, || {
                let mut times = 0_u64;
                while done.load(Ordering::Relaxed) == 0 {
                    counter.fetch_add(1, Ordering::Relaxed);
                    times += 1;
                    cluster::pause(times, 1_000);
                }
                times
            });
            while counter.load(Ordering::Relaxed) == 3 {
                thread::yield_now();
            }
            for turn in 0..TURNS {
                // Yields are where the kernel writes what it keeps beside the control block.
                thread::yield_now();
                drop(black_box(vec![turn; 100]));
                assert!(std::fs::metadata("/no/such/file").is_err());
            }
            done.store(1, Ordering::Relaxed);
            let times = other.join().unwrap();
            assert_eq!(counter.load(Ordering::Relaxed), 3 + times);
        });
    });
    format!("{TURNS} turns")
}
