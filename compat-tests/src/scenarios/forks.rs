//! Children of `fork`: what they see, and that nobody sees what they do.

#![expect(unsafe_code, reason = "std starts programs only")]

mod moved;
mod orphans;

pub(crate) use moved::{lent_stack, striped};
pub(crate) use orphans::{by_clone, daemon, orphan};

use dstd::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use dstd::sync::{Arc, Barrier, Mutex};
use dstd::thread;
use std::ffi::CString;
use std::io::{Read, Write, pipe};
use std::os::fd::FromRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::cluster;

static COUNTER: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LENT: AtomicUsize = const { AtomicUsize::new(0) };
}

/// Runs `child` in a child of this process; it ends with what that returns.
fn fork(child: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child runs one closure of these tests and ends.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
    if pid == 0 {
        let code = child();
        // SAFETY: ends the child.
        unsafe { libc::_exit(code) };
    }
    pid
}

/// The code with which a child has ended.
fn code_of(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: the status is writable.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status), "the child's status is {status:#x}");
    libc::WEXITSTATUS(status)
}

/// The first of these that is false, counted from 1; 0 when all are true.
fn first_wrong(checks: impl IntoIterator<Item = bool>) -> i32 {
    checks.into_iter().position(|right| !right).map_or(0, |at| at as i32 + 1)
}

/// What the parent writes after the fork is not the child's, and what the child writes is not the parent's.
pub(crate) fn snapshot() -> String {
    for i in 0..cluster::size() {
        cluster::spawn(i, snapshot_here).join().unwrap();
    }
    format!("{} nodes", cluster::size())
}

fn snapshot_here() {
    const WORDS: usize = 300_000;
    COUNTER.store(1, Ordering::SeqCst);
    let number = Arc::new(AtomicUsize::new(1));
    let mut words = vec![1_usize; WORDS];
    let local = AtomicUsize::new(1);
    LENT.with(|lent| lent.store(1, Ordering::SeqCst));
    let (mut go, mut say) = pipe().unwrap();
    let child = fork(|| {
        let mut byte = [0];
        if go.read_exact(&mut byte).is_err() {
            return 100;
        }
        let seen = first_wrong([
            words.iter().all(|&word| word == 1),
            number.load(Ordering::SeqCst) == 1,
            local.load(Ordering::SeqCst) == 1,
            COUNTER.load(Ordering::SeqCst) == 1,
            LENT.with(|lent| lent.load(Ordering::SeqCst)) == 1,
            vec![0_u8; 4 << 20].iter().all(|&byte| byte == 0),
        ]);
        words.fill(3);
        number.store(3, Ordering::SeqCst);
        local.store(3, Ordering::SeqCst);
        COUNTER.store(3, Ordering::SeqCst);
        LENT.with(|lent| lent.store(3, Ordering::SeqCst));
        seen
    });
    // Everybody writes, also memory that the child believes was never used.
    words.fill(2);
    local.store(2, Ordering::SeqCst);
    LENT.with(|lent| lent.store(2, Ordering::SeqCst));
    let fresh: Vec<Vec<u8>> = (0..64).map(|n| vec![2; 1_000 * (n + 1)]).collect();
    let shared = Arc::clone(&number);
    cluster::everywhere(move |_| {
        shared.store(2, Ordering::SeqCst);
        COUNTER.store(2, Ordering::SeqCst);
    });
    say.write_all(&[1]).unwrap();
    assert_eq!(code_of(child), 0);
    assert!(words.iter().all(|&word| word == 2));
    assert!(fresh.iter().flatten().all(|&byte| byte == 2));
    assert_eq!([number.load(Ordering::SeqCst), local.load(Ordering::SeqCst)], [2, 2]);
    assert_eq!(COUNTER.load(Ordering::SeqCst), 2);
    assert_eq!(LENT.with(|lent| lent.load(Ordering::SeqCst)), 2);
}

/// A child, and a child of it, read what is at other nodes while their parent waits.
pub(crate) fn away() -> String {
    const WORDS: usize = 3_000;
    for i in 0..cluster::size() {
        // Made on every node, and written last on the next one.
        let made = cluster::everywhere(|node| Mutex::new(vec![node; WORDS]));
        let made = Arc::new(made);
        let (theirs, mine) = (Arc::clone(&made), Arc::clone(&made));
        cluster::everywhere(move |node| {
            let mut words = theirs[(node + 1) % cluster::size()].lock().unwrap();
            words.iter_mut().for_each(|word| *word += 1_000);
        });
        COUNTER.store(i, Ordering::SeqCst);
        cluster::spawn(i, move || {
            let right = || {
                let vectors = mine.iter().enumerate().map(|(node, words)| {
                    words.lock().is_ok_and(|words| {
                        words.len() == WORDS && words.iter().all(|&word| word == node + 1_000)
                    })
                });
                first_wrong(vectors.chain([COUNTER.load(Ordering::SeqCst) == i]))
            };
            let child = fork(|| {
                let grandchild = fork(|| {
                    let seen = right();
                    mine.iter().for_each(|words| words.lock().unwrap().fill(7));
                    seen
                });
                match code_of(grandchild) {
                    0 => right(),
                    wrong => 50 + wrong,
                }
            });
            assert_eq!(code_of(child), 0);
            assert_eq!(right(), 0);
        })
        .join()
        .unwrap();
        assert!(
            made.iter().enumerate().all(|(node, words)| words
                .lock()
                .unwrap()
                .iter()
                .all(|&word| word == node + 1_000))
        );
    }
    format!("{} nodes", cluster::size())
}

/// Forks while many threads on all nodes write and allocate.
pub(crate) fn busy() -> String {
    const THREADS: usize = 64;
    const FORKS: usize = 10;
    let stop = Arc::new(AtomicBool::new(false));
    let begun = Arc::new(Barrier::new(THREADS + 1));
    let sum = Arc::new(Mutex::new(0_u64));
    let threads: Vec<_> = (0..THREADS)
        .map(|i| {
            let (stop, begun, sum) = (Arc::clone(&stop), Arc::clone(&begun), Arc::clone(&sum));
            cluster::spawn(i, move || {
                begun.wait();
                let mut rounds = 0;
                while !stop.load(Ordering::SeqCst) {
                    let words: Vec<u64> = (0..200 * (rounds % 7 + 1)).collect();
                    *sum.lock().unwrap() += words.len() as u64;
                    rounds += 1;
                    thread::sleep(std::time::Duration::from_millis(2));
                }
                rounds
            })
        })
        .collect();
    begun.wait();
    for i in 0..cluster::size() {
        cluster::spawn(i, move || {
            let words: Vec<usize> = (0..10_000).collect();
            for round in 0..FORKS {
                let local = [round; 500];
                let child = fork(|| {
                    let copy = words.clone();
                    first_wrong([
                        copy.iter().enumerate().all(|(at, &word)| at == word),
                        local.iter().all(|&word| word == round),
                        vec![0_u8; 100_000].iter().all(|&byte| byte == 0),
                    ])
                });
                assert_eq!(code_of(child), 0);
            }
        })
        .join()
        .unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    let rounds: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert!(*sum.lock().unwrap() >= rounds * 200);
    format!("{THREADS} threads, {} forks", FORKS * cluster::size())
}

/// Forks while other threads of the node are inside libc's locks, which libc resets in the child.
pub(crate) fn in_libc() -> String {
    const ROUNDS: usize = 200;
    const LINES: usize = 20_000;
    for i in [0, 1].into_iter().take(cluster::size()) {
        cluster::spawn(i, || {
            let file = Arc::new(Stream::open());
            let done = Arc::new(AtomicBool::new(false));
            let writers: Vec<_> = (0..2)
                .map(|_| {
                    let file = Arc::clone(&file);
                    cluster::spawn(place(), move || (0..LINES).for_each(|_| file.line()))
                })
                .collect();
            let asker = {
                let done = Arc::clone(&done);
                cluster::spawn(place(), move || {
                    while !done.load(Ordering::SeqCst) {
                        look_up();
                        Stream::open().line();
                    }
                })
            };
            for round in 0..ROUNDS {
                let child = fork(|| {
                    Stream::open().line();
                    (round % 100) as i32
                });
                assert_eq!(code_of(child), (round % 100) as i32);
            }
            done.store(true, Ordering::SeqCst);
            asker.join().unwrap();
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            let text = file.text();
            assert_eq!(text.lines().count(), 2 * LINES);
            assert!(text.lines().all(|line| line == LINE));
        })
        .join()
        .unwrap();
    }
    format!("{ROUNDS} forks")
}

/// The rank of the running thread's node.
fn place() -> usize {
    let here = dstd::place::here();
    dstd::place::nodes().position(|node| node == here).unwrap()
}

fn look_up() {
    let (name, mut found) = (CString::new("localhost").unwrap(), std::ptr::null_mut());
    // SAFETY: a C string, no wishes, and a place for the answer.
    let error =
        unsafe { libc::getaddrinfo(name.as_ptr(), std::ptr::null(), std::ptr::null(), &raw mut found) };
    if error == 0 {
        // SAFETY: what the call has made.
        unsafe { libc::freeaddrinfo(found) };
    }
}

const LINE: &str = "one line of the test, as long as lines are";

/// A temporary file of C's.
struct Stream(*mut libc::FILE);

// SAFETY: C's streams have a lock.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    fn open() -> Stream {
        // SAFETY: makes a file without a name.
        let file = unsafe { libc::tmpfile() };
        assert!(!file.is_null());
        Stream(file)
    }

    fn line(&self) {
        let text = CString::new(format!("{LINE}\n")).unwrap();
        // SAFETY: an open stream and a C string.
        assert!(unsafe { libc::fputs(text.as_ptr(), self.0) } >= 0);
    }

    fn text(&self) -> String {
        // SAFETY: an open stream.
        unsafe { libc::rewind(self.0) };
        let mut text = vec![0_u8; 4 << 20];
        // SAFETY: an open stream, and a buffer of this size.
        let len = unsafe { libc::fread(text.as_mut_ptr().cast(), 1, text.len(), self.0) };
        text.truncate(len);
        String::from_utf8(text).unwrap()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: open until here.
        unsafe { libc::fclose(self.0) };
    }
}

/// `Command` with closures, groups and ids: program, arguments and what the closure reads are from all nodes.
pub(crate) fn commands() -> String {
    use std::os::unix::fs::MetadataExt;

    let me = std::fs::metadata("/proc/self").unwrap();
    let (uid, gid) = (me.uid(), me.gid());
    let made = Arc::new(cluster::everywhere(|node| (format!("from {node}"), vec![node; 5_000])));
    for i in 0..cluster::size() {
        let (texts, words) = (Arc::clone(&made), Arc::clone(&made));
        let command = cluster::spawn(i + 1, move || {
            let mut command = Command::new("/bin/echo");
            command.args(texts.iter().map(|(text, _)| text)).uid(uid).gid(gid).env("MADE", "elsewhere");
            // SAFETY: compares numbers, nothing else.
            unsafe {
                command.pre_exec(move || {
                    let right = words
                        .iter()
                        .enumerate()
                        .all(|(node, (_, words))| words.iter().all(|&word| word == node));
                    if right { Ok(()) } else { Err(std::io::ErrorKind::InvalidData.into()) }
                })
            };
            command
        });
        let mut command = command.join().unwrap();
        let output = cluster::spawn(i, move || command.output().unwrap()).join().unwrap();
        let expected: Vec<_> = made.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected.join(" ") + "\n");
        let failed = cluster::spawn(i, || {
            let mut command = Command::new("/bin/true");
            // SAFETY: does nothing.
            unsafe { command.pre_exec(|| Err(std::io::Error::from_raw_os_error(libc::ENOTTY))) };
            command.status()
        });
        assert_eq!(failed.join().unwrap().unwrap_err().raw_os_error(), Some(libc::ENOTTY));
    }
    format!("{} nodes", cluster::size())
}

/// `forkpty` on every node: the child talks to its parent through a terminal.
pub(crate) fn terminal() -> String {
    for i in 0..cluster::size() {
        cluster::spawn(i, move || {
            let word = Arc::new(format!("terminal {i}"));
            let mut master = -1;
            let null = std::ptr::null_mut();
            // SAFETY: the place for the descriptor is writable; nothing else is asked for.
            let child = unsafe { libc::forkpty(&raw mut master, null, null.cast(), null.cast()) };
            assert!(child >= 0, "forkpty: {}", std::io::Error::last_os_error());
            if child == 0 {
                // SAFETY: asks about a descriptor.
                let is_terminal = unsafe { libc::isatty(0) } == 1;
                println!("{word} {is_terminal}");
                // SAFETY: ends the child.
                unsafe { libc::_exit(7) };
            }
            // SAFETY: the descriptor is open, and nobody else's.
            let master = unsafe { std::fs::File::from_raw_fd(master) };
            let mut line = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(&master), &mut line).unwrap();
            assert_eq!(line.trim_end(), format!("{word} true"));
            assert_eq!(code_of(child), 7);
        })
        .join()
        .unwrap();
    }
    format!("{} nodes", cluster::size())
}
