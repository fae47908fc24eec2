//! The memory of threads that have ended serves new ones, however they were waited for.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dstd::thread;

use crate::cluster;

/// Threads of each kind, one after the other.
const THREADS: usize = 120;
/// How many places they may have: a thread that was detached ends a little later than it says.
const PLACES_MAX: usize = 24;

thread_local! {
    static MINE: Cell<usize> = const { Cell::new(7) };
}

/// Where the thread-locals of the running thread, which is new, lie.
fn place() -> usize {
    assert_eq!(MINE.replace(8), 7, "a fresh thread");
    MINE.with(|mine| ptr::from_ref(mine).addr())
}

extern "C" fn start(place_of: *mut c_void) -> *mut c_void {
    ptr::without_provenance_mut(place() + place_of.addr())
}

/// A thread of libc's.
#[expect(unsafe_code, reason = "libc's threads")]
fn begin() -> libc::pthread_t {
    let mut made = 0;
    // SAFETY: the start routine uses its argument as a number only.
    assert_eq!(unsafe { libc::pthread_create(&raw mut made, ptr::null(), start, ptr::null_mut()) }, 0);
    made
}

#[expect(unsafe_code, reason = "libc's threads")]
fn joined() -> usize {
    let mut place = ptr::null_mut();
    // SAFETY: a thread that is joined once.
    assert_eq!(unsafe { libc::pthread_join(begin(), &raw mut place) }, 0);
    place.addr()
}

#[expect(unsafe_code, reason = "libc's threads")]
fn tried() -> usize {
    let (thread, mut place) = (begin(), ptr::null_mut());
    // SAFETY: as in `joined`; a busy thread is not joined yet.
    while unsafe { libc::pthread_tryjoin_np(thread, &raw mut place) } == libc::EBUSY {
        thread::yield_now();
    }
    place.addr()
}

/// Later than any test runs.
static FAR: libc::timespec = libc::timespec { tv_sec: 1 << 40, tv_nsec: 0 };

#[expect(unsafe_code, reason = "libc's threads")]
fn timed() -> usize {
    let mut place = ptr::null_mut();
    // SAFETY: as in `joined`.
    assert_eq!(unsafe { libc::pthread_timedjoin_np(begin(), &raw mut place, &raw const FAR) }, 0);
    place.addr()
}

#[expect(unsafe_code, reason = "libc's threads")]
fn clocked() -> usize {
    unsafe extern "C" {
        fn pthread_clockjoin_np(
            thread: libc::pthread_t,
            value: *mut *mut c_void,
            clock: libc::clockid_t,
            until: *const libc::timespec,
        ) -> i32;
    }
    let mut place = ptr::null_mut();
    // SAFETY: as in `joined`.
    let error =
        unsafe { pthread_clockjoin_np(begin(), &raw mut place, libc::CLOCK_MONOTONIC, &raw const FAR) };
    assert_eq!(error, 0);
    place.addr()
}

fn detached() -> usize {
    let found = Arc::new(AtomicUsize::new(0));
    let tell = Arc::clone(&found);
    drop(std::thread::spawn(move || tell.store(place(), Ordering::Release)));
    loop {
        match found.load(Ordering::Acquire) {
            0 => thread::yield_now(),
            place => return place,
        }
    }
}

/// Many threads after each other have few places.
pub(crate) fn reused() -> String {
    let counts = cluster::everywhere(|_| {
        [joined, tried, timed, clocked, detached].map(|run| {
            let places: BTreeSet<usize> = (0..THREADS).map(|_| run()).collect();
            places.len()
        })
    });
    assert!(
        counts.iter().flatten().all(|count| *count <= PLACES_MAX),
        "{counts:?} places for {THREADS} threads"
    );
    format!("{} threads", 5 * THREADS * counts.len())
}
