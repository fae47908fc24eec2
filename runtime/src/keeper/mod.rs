//! The keeper: a runtime thread that looks after memory nobody is using.
//!
//! It sends remote frees that wait too long in their batches, takes in what other nodes have freed
//! here, and gives freed memory back to the system.
//!
//! Others tell it by a word with a bit for each kind of news: setting a bit is all they do, so a
//! thread may do it inside a free, and the engine at any time. The keeper may wait, for the engine
//! too; nobody waits for a lock that it holds.

use core::sync::atomic::{AtomicU32, Ordering, fence};
use std::io;

use crate::{alloc, fatal, raw};

/// A thread has collected blocks to be freed elsewhere.
pub(crate) const REMOTE: u32 = 1;
/// Memory of this node was freed, by a thread here or elsewhere.
pub(crate) const FREED: u32 = 2;

/// How long a batch waits to be filled.
const FLUSH_NS: u64 = 2_000_000;
/// How long freed memory is left alone, lest every free wakes the keeper.
const SETTLE_NS: u64 = 20_000_000;
/// When nothing was freed for so long, nothing is kept for later allocations.
const IDLE_NS: u64 = 1_000_000_000;

/// What has happened since the keeper last looked.
static NEWS: AtomicU32 = AtomicU32::new(0);

/// Tells the keeper. Waits for nothing; allocates nothing.
#[inline]
pub(crate) fn note(bit: u32) {
    // SeqCst: whatever the caller has stored before is seen by the keeper, or this sees the bit cleared.
    fence(Ordering::SeqCst);
    if NEWS.load(Ordering::Relaxed) & bit == 0 {
        note_slow(bit);
    }
}

#[cold]
fn note_slow(bit: u32) {
    if NEWS.fetch_or(bit, Ordering::SeqCst) & bit == 0 {
        raw::futex_wake(&NEWS, 1);
    }
}

/// Boot: starts the keeper.
///
/// # Errors
/// When the thread cannot be made.
pub(crate) fn start() -> io::Result<()> {
    std::thread::Builder::new().name("dstd-keeper".to_owned()).spawn(|| {
        let _runtime = alloc::enter();
        let _guard = fatal::StopOnUnwind;
        Keeper::default().run()
    })?;
    Ok(())
}

/// What is to be done when.
#[derive(Default)]
struct Keeper {
    flush_at: Option<u64>,
    settle_at: Option<u64>,
    idle_at: Option<u64>,
}

impl Keeper {
    fn run(mut self) -> ! {
        loop {
            let news = NEWS.load(Ordering::SeqCst);
            let now = raw::now_ns();
            if news & REMOTE != 0 {
                self.flush_at.get_or_insert(now + FLUSH_NS);
            }
            if news & FREED != 0 {
                self.settle_at.get_or_insert(now + SETTLE_NS);
            }
            if due(&mut self.flush_at, now) {
                NEWS.fetch_and(!REMOTE, Ordering::SeqCst);
                alloc::flush_all_remote();
                continue;
            }
            if due(&mut self.settle_at, now) {
                NEWS.fetch_and(!FREED, Ordering::SeqCst);
                alloc::take_in();
                alloc::return_memory(alloc::keep_bytes());
                self.idle_at = Some(now + IDLE_NS);
                continue;
            }
            if due(&mut self.idle_at, now) {
                alloc::return_memory(0);
                continue;
            }
            let next = [self.flush_at, self.settle_at, self.idle_at].into_iter().flatten().min();
            sleep(news, next.map(|at| at.saturating_sub(now)));
        }
    }
}

/// Whether it is time; then the time is cleared.
fn due(at: &mut Option<u64>, now: u64) -> bool {
    at.take_if(|at| *at <= now).is_some()
}

/// Sleeps until there are other news than `news`, or until the time is over.
fn sleep(news: u32, timeout_ns: Option<u64>) {
    let time = timeout_ns.map(|rest| libc::timespec {
        tv_sec: (rest / 1_000_000_000) as i64,
        tv_nsec: (rest % 1_000_000_000) as i64,
    });
    raw::futex_wait(&NEWS, news, time.as_ref());
}
