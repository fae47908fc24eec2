//! Signals that a program handles, and what it reads while it runs.

use std::io::BufRead;
use std::time::Duration;

use dstd::place;
use dstd::sync::Arc;
use dstd::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use dstd::thread;

use crate::cluster;

const PAUSE: Duration = Duration::from_millis(5);

static USER: AtomicU64 = AtomicU64::new(0);
static END: AtomicBool = AtomicBool::new(false);

extern "C" fn on_user(_: libc::c_int) {
    USER.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn on_end(_: libc::c_int) {
    END.store(true, Ordering::SeqCst);
}

#[expect(unsafe_code, reason = "std handles no signals")]
fn handle(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: the handlers touch an atomic and nothing else.
    unsafe { libc::signal(signal, handler as libc::sighandler_t) };
}

/// Works on all nodes until TERM; at each USR1 it says that every node has gone on. Only node 0
/// handles the two.
pub(crate) fn handled() -> String {
    handle(libc::SIGUSR1, on_user);
    handle(libc::SIGTERM, on_end);
    let work: Arc<Vec<AtomicU64>> = Arc::new((0..cluster::size()).map(|_| AtomicU64::new(0)).collect());
    let workers: Vec<_> = (0..cluster::size())
        .map(|i| {
            let work = Arc::clone(&work);
            cluster::spawn(i, move || {
                while !END.load(Ordering::SeqCst) {
                    work[i].fetch_add(1, Ordering::SeqCst);
                    thread::sleep(PAUSE);
                }
            })
        })
        .collect();
    for (rank, node) in place::nodes().enumerate() {
        println!("node {rank} is process {}", place::call(node, std::process::id));
    }
    println!("ready");
    let mut seen = 0;
    while !END.load(Ordering::SeqCst) {
        thread::sleep(PAUSE);
        if USER.load(Ordering::SeqCst) > seen {
            seen += 1;
            let before: Vec<u64> = work.iter().map(|count| count.load(Ordering::SeqCst)).collect();
            while work.iter().zip(&before).any(|(count, before)| count.load(Ordering::SeqCst) == *before) {
                thread::sleep(PAUSE);
            }
            println!("user signal {seen}: all nodes work");
        }
    }
    let count = workers.len();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    format!("{count} nodes, {seen} signals")
}

/// Only `main` runs, without an end; the other nodes wait for work.
pub(crate) fn idle() -> String {
    println!("all wait");
    loop {
        thread::park();
    }
}

/// Threads on all nodes read one line each, in turn.
pub(crate) fn shared_stdin() -> String {
    for i in 0..cluster::size() {
        let line = cluster::spawn(i, || {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map(|_| line)
        });
        println!("{i} read {:?}", line.join().unwrap().unwrap());
    }
    String::from("in turn")
}
