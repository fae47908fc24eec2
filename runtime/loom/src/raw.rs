//! The kernel: one futex queue for all words, one eventfd for all numbers.
//!
//! A wake wakes everybody, which the kernel may do as well. Sleep and wake exclude each other as in the
//! kernel, where the queue has a lock.

use crate::primitive::{AtomicU32, Ordering};
use crate::threads::{Condvar, Mutex};

#[cfg(loom)]
loom::lazy_static! {
    static ref FUTEX: Sleepers = Sleepers::new();
    static ref EVENT: Sleepers = Sleepers::new();
}
#[cfg(not(loom))]
static FUTEX: std::sync::LazyLock<Sleepers> = std::sync::LazyLock::new(Sleepers::new);
#[cfg(not(loom))]
static EVENT: std::sync::LazyLock<Sleepers> = std::sync::LazyLock::new(Sleepers::new);

struct Sleepers {
    ticks: Mutex<u64>,
    changed: Condvar,
}

impl Sleepers {
    fn new() -> Sleepers {
        Sleepers { ticks: Mutex::new(0), changed: Condvar::new() }
    }

    fn tick(&self) {
        *self.ticks.lock().expect("nobody panics with it") += 1;
        self.changed.notify_all();
    }
}

pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, timeout: Option<&libc::timespec>) {
    assert!(timeout.is_none(), "a model has no clock");
    let ticks = FUTEX.ticks.lock().expect("nobody panics with it");
    // Older values may be seen here. Then the wake comes later, and finds us asleep.
    if word.load(Ordering::Relaxed) == expected {
        drop(FUTEX.changed.wait(ticks).expect("nobody panics with it"));
    }
}

pub(crate) fn futex_wake(_word: &AtomicU32, _count: i32) {
    FUTEX.tick();
}

pub(crate) fn futex_wake_gone(_word: *const AtomicU32, _count: i32) {
    FUTEX.tick();
}

pub(crate) fn now_ns() -> u64 {
    unreachable!("a model has no clock")
}

/// Writes to the eventfd, the one system call of the code under test.
///
/// # Safety
/// - None: nothing is touched.
pub(crate) unsafe fn syscall(number: i64, _arguments: [usize; 6]) -> isize {
    assert_eq!(number, libc::SYS_write);
    EVENT.tick();
    8
}

/// Sleeps until the eventfd was written to.
pub(crate) fn await_event() {
    let mut ticks = EVENT.ticks.lock().expect("nobody panics with it");
    while *ticks == 0 {
        ticks = EVENT.changed.wait(ticks).expect("nobody panics with it");
    }
}

/// Reads the eventfd, which does not wait.
pub(crate) fn clear_event() {
    *EVENT.ticks.lock().expect("nobody panics with it") = 0;
}
