//! Signals: handlers, stacks that overflow, and touches of what is not there.

use dstd::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use dstd::thread;
use std::hint::black_box;

use crate::cluster;

static HANDLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: i32) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

/// Handlers run on every node, while other nodes write the page in which the stack pointer is.
#[expect(unsafe_code, reason = "std has no signals")]
pub(crate) fn handlers() -> String {
    const TIMES: u64 = 5_000;
    for i in 0..cluster::size() {
        cluster::spawn(i, move || {
            // SAFETY: the handler adds to an atomic.
            unsafe { libc::signal(libc::SIGUSR1, count as *const () as usize) };
            let words = [const { AtomicU64::new(0) }; 64];
            let stop = AtomicBool::new(false);
            thread::scope(|scope| {
                cluster::scoped(scope, i + 1, || {
                    let mut step = 0;
                    while !stop.load(Ordering::Relaxed) {
                        words.iter().for_each(|word| _ = word.fetch_add(1, Ordering::Relaxed));
                        step += 1;
                        cluster::pause(step, 1);
                    }
                });
                for _ in 0..TIMES {
                    // SAFETY: sends a signal that is handled.
                    unsafe { libc::raise(libc::SIGUSR1) };
                }
                stop.store(true, Ordering::Relaxed);
            });
        })
        .join()
        .unwrap();
        assert_eq!(HANDLED.load(Ordering::SeqCst), TIMES * (i as u64 + 1));
    }
    format!("{} signals", HANDLED.load(Ordering::SeqCst))
}

#[inline(never)]
fn descend(level: u64) -> u64 {
    let frame = black_box([level; 100]);
    if black_box(level) == u64::MAX { 0 } else { descend(level + 1) + frame[5] }
}

/// A thread of the last node uses up its stack.
pub(crate) fn overflow_on_last_node() -> String {
    let deep = thread::Builder::new().name(String::from("deep"));
    let deep = dstd::place::on(cluster::last(), || deep.spawn(|| descend(0)).unwrap());
    format!("{}", deep.join().unwrap())
}

/// `main` uses up its stack.
pub(crate) fn overflow_in_main() -> String {
    format!("{}", descend(0))
}

extern "C" fn leave(_: i32) {
    // SAFETY: writes a constant.
    #[expect(unsafe_code, reason = "a handler may not use std's streams")]
    unsafe {
        libc::write(1, c"handled\n".as_ptr().cast(), 8)
    };
    // SAFETY: ends the process.
    #[expect(unsafe_code, reason = "as above")]
    unsafe {
        libc::_exit(9)
    };
}

/// The program's own handler gets what is no page.
#[expect(unsafe_code, reason = "std has no signals, and touches nothing that is not there")]
pub(crate) fn own_handler() -> String {
    cluster::spawn(0, || {
        // SAFETY: the handler ends the process.
        unsafe { libc::signal(libc::SIGSEGV, leave as *const () as usize) };
        let nowhere = black_box(8) as *const u64;
        // SAFETY: there is none: the touch is to fail.
        unsafe { nowhere.read_volatile() }
    })
    .join()
    .unwrap()
    .to_string()
}
