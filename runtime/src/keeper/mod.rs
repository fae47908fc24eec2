//! The keeper: a runtime thread that looks after memory nobody is using.
//!
//! It sends remote frees that wait too long in their batches, takes in what other nodes have freed
//! here, and gives freed memory and the stacks of ended threads back to the system.
//!
//! Node 0's keeper also keeps the books of large blocks over all nodes (`stripes`).
//!
//! Others tell it by a word with a bit for each kind of news: setting a bit is all they do, so a
//! thread may do it inside a free, and the engine at any time. The keeper may wait, for the engine
//! too; nobody waits for a lock that it holds.

mod ranges;
mod stripes;

pub(crate) use stripes::{Asker, What, Words, wait};

use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering, fence};
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{LazyLock, OnceLock};

use dstd_addr::{GlobalAddr, PAGE_BYTES, PageNo};
use dstd_control::stats::Stats;

use crate::context::Context;
use crate::fatal::stop;
use crate::wait::Wait;

use crate::stack::return_stacks;
use crate::{alloc, boot, context, fatal, raw};

use stripes::Stripes;

/// A thread has collected blocks to be freed elsewhere.
pub(crate) const REMOTE: u32 = 1;
/// Memory of this node was freed, by a thread here or elsewhere.
pub(crate) const FREED: u32 = 2;
/// There are questions about large blocks.
const ASKED: u32 = 4;

/// How long a batch waits to be filled.
const FLUSH_NS: u64 = 2_000_000;
/// How long freed memory is left alone, lest every free wakes the keeper.
const SETTLE_NS: u64 = 20_000_000;
/// When nothing was freed for so long, nothing is kept for later allocations.
const IDLE_NS: u64 = 1_000_000_000;

/// Stacks of ended threads that stay as they are while threads come and go.
const STACKS_KEPT: usize = 8;

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

/// Questions about large blocks; only the engine sends them.
static QUESTIONS: OnceLock<Sender<(Asker, Words)>> = OnceLock::new();

/// Engine: has the keeper answer a question.
pub(crate) fn give(asker: Asker, words: Words) {
    let given = QUESTIONS.get().is_some_and(|questions| questions.send((asker, words)).is_ok());
    if !given {
        stop!(fatal::INTERNAL, "the keeper of node {} is gone", context::me());
    }
    note(ASKED);
}

/// Boot: starts the keeper.
///
/// # Errors
/// When the thread cannot be made.
pub(crate) fn start(context: &'static Context) -> io::Result<()> {
    let (sender, questions) = channel();
    QUESTIONS.get_or_init(|| sender);
    let thread = std::thread::Builder::new().stack_size(boot::runtime_stack_bytes());
    thread.name("dstd-keeper".to_owned()).spawn(move || {
        let _runtime = alloc::enter();
        let _guard = fatal::StopOnUnwind;
        let stripes = Stripes::new(context);
        Keeper { flush_at: None, settle_at: None, idle_at: None, questions, stripes, stats: context.stats }
            .run()
    })?;
    Ok(())
}

/// What is to be done when.
struct Keeper {
    flush_at: Option<u64>,
    settle_at: Option<u64>,
    idle_at: Option<u64>,
    questions: Receiver<(Asker, Words)>,
    stripes: Stripes,
    stats: &'static Stats,
}

impl Keeper {
    fn run(mut self) -> ! {
        loop {
            let news = NEWS.load(Ordering::SeqCst);
            let now = raw::now_ns();
            if news & ASKED != 0 {
                NEWS.fetch_and(!ASKED, Ordering::SeqCst);
                while let Ok((asker, words)) = self.questions.try_recv() {
                    self.stripes.perform(&asker, words);
                }
                continue;
            }
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
                return_stacks(STACKS_KEPT);
                alloc::publish(self.stats);
                self.idle_at = Some(now + IDLE_NS);
                continue;
            }
            if due(&mut self.idle_at, now) {
                alloc::reclaim();
                alloc::return_memory(0);
                return_stacks(0);
                alloc::publish(self.stats);
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

/// The discard under way, if any; 1 when it is done.
static DISCARD: LazyLock<Wait> = LazyLock::new(Wait::new);

/// Has the engine take pages of this node from all nodes and give their memory back; returns when
/// `done` was called, which must call [`discarded`] last.
pub(crate) fn discard(first: PageNo, count: u32, done: fn(PageNo, u32)) {
    let Some(context) = context::cluster() else { return };
    DISCARD.arm();
    context.queue.push(crate::node::Request::Discard { first, count, done });
    DISCARD.wait_while(Wait::PENDING, None);
}

/// As [`discard`], in pieces: the engine serves others in between.
pub(crate) fn discard_range(range: Range<u64>, done: fn(PageNo, u32)) {
    for start in range.clone().step_by(PIECE_BYTES as usize) {
        let bytes = (range.end - start).min(PIECE_BYTES);
        discard(GlobalAddr(start).page(), (bytes / PAGE_BYTES) as u32, done);
    }
}

const PIECE_BYTES: u64 = 8 << 20;

/// Engine: the discard that the keeper waits for is done.
pub(crate) fn discarded() {
    DISCARD.set(1, 0);
}
