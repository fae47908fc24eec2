//! A thread on node 2 that keeps taking the heap pages of what runs on node 1.
//!
//! *Invariants*: none of the runtime's is weakened. A page is asked for as any write asks for it, through a page fault; its bytes are
//! neither read nor written, so no access races with those of its owner.
//!
//! *How.* A heap hands freed blocks out again, the last one first. So whoever has just freed blocks of all sizes knows on which pages
//! what it allocates next will lie. The thief takes those before the body begins, so that the first touch of each is a
//! fault, and goes on taking them in turn, those of the smallest blocks first, until the body has ended: a body that ends within
//! 50 us meets each of them once, one that lasts meets some of them again.

use std::collections::BTreeSet;
use std::io;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dstd::place::{self, NodeId};
use dstd::thread;

/// Where the thief runs.
const HOME: NodeId = NodeId(2);
const PAGE: usize = 4096;
/// Blocks that are tried of each size, of those that share pages; of larger ones one is enough.
const OF_EACH: usize = 6;
/// The largest size tried: larger ones have pages of their own, which are new each time.
const LARGEST: usize = 64 << 10;
/// Between two pages, once the body runs: it is to meet faults, not to stand still.
const PAUSE: Duration = Duration::from_micros(50);

/// The only one; its memory is the cluster's.
static THIEF: Thief =
    Thief { state: Mutex::new(State::NONE), changed: Condvar::new(), over: AtomicU64::new(0) };

pub(crate) struct Thief {
    state: Mutex<State>,
    changed: Condvar,
    /// The last theft whose body has ended.
    over: AtomicU64,
}

struct State {
    /// The number of the theft that is wanted, and its pages.
    wanted: u64,
    pages: Vec<usize>,
    /// The theft of which every page has been taken once.
    begun: u64,
    /// The theft that has ended.
    ended: u64,
}

impl State {
    const NONE: State = State { wanted: 0, pages: Vec::new(), begun: 0, ended: 0 };
}

impl Thief {
    /// Starts it on its node.
    pub(crate) fn start() -> &'static Thief {
        drop(place::spawn_on(HOME, || THIEF.steal()));
        &THIEF
    }

    /// Runs `f` while the pages of this thread's next allocations are taken.
    pub(crate) fn robs<T>(&self, f: impl FnOnce() -> T) -> T {
        let pages = pages_of_the_next_blocks();
        let mut state = self.state();
        state.wanted += 1;
        state.pages = pages;
        let theft = state.wanted;
        self.changed.notify_all();
        drop(self.wait_until(state, |state| state.begun == theft));
        let result = f();
        self.over.store(theft, Ordering::SeqCst);
        drop(self.wait_until(self.state(), |state| state.ended == theft));
        result
    }

    fn steal(&self) {
        let mut theft = 0;
        loop {
            let state = self.wait_until(self.state(), |state| state.wanted > theft);
            theft = state.wanted;
            let pages = state.pages.clone();
            drop(state);
            pages.iter().copied().for_each(take);
            self.state().begun = theft;
            self.changed.notify_all();
            let mut turns = pages.iter().copied().cycle();
            while self.over.load(Ordering::SeqCst) < theft {
                turns.next().into_iter().for_each(take);
                thread::sleep(PAUSE);
            }
            self.state().ended = theft;
            self.changed.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until<'a>(
        &self,
        state: MutexGuard<'a, State>,
        reached: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        self.changed.wait_while(state, |state| !reached(state)).unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pages on which this thread's next blocks of every size will lie, those of the smallest first.
fn pages_of_the_next_blocks() -> Vec<usize> {
    let (mut pages, mut known) = (Vec::new(), BTreeSet::new());
    let mut size = 16;
    while size <= LARGEST {
        let count = if size < PAGE { OF_EACH } else { 1 };
        let blocks: Vec<Vec<u8>> = (0..count).map(|_| Vec::with_capacity(size)).collect();
        for block in &blocks {
            let start = block.as_ptr().addr();
            let of_block = (start / PAGE..=(start + size - 1) / PAGE).map(|page| page * PAGE);
            pages.extend(of_block.filter(|page| known.insert(*page)));
        }
        // Steps like those of a heap's classes: an eighth of a power of two.
        size += (size.next_power_of_two() / 8).max(16);
    }
    pages
}

/// Makes the page that begins at `page` exclusive to this node, as a store into it would.
#[expect(unsafe_code, reason = "asking for pages without touching them is a system call")]
fn take(page: usize) {
    let address = std::ptr::without_provenance_mut(page);
    // SAFETY: the call makes the page writable here and changes no byte, so nobody who uses the page notices anything but
    // the time that it takes. Where nothing is mapped it fails.
    let result = unsafe { libc::madvise(address, PAGE, libc::MADV_POPULATE_WRITE) };
    if result != 0 {
        // Without a thief nothing would be tested, and who waits for it would wait for ever.
        eprintln!("the page at {page:#x} cannot be taken: {}", io::Error::last_os_error());
        process::exit(2);
    }
}
