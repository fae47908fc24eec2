//! What programs do through libc, beside std: threads, futexes, children, streams.

use dstd::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use dstd::sync::{Arc, Mutex};
use dstd::{place, thread};
use std::cell::RefCell;
use std::ffi::{c_char, c_void};
use std::ptr;

use crate::{cluster, spread_c};

static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct CallsElsewhere;

impl Drop for CallsElsewhere {
    fn drop(&mut self) {
        for node in place::nodes() {
            let sum = Arc::new(Mutex::new(1));
            place::call(node, {
                let sum = Arc::clone(&sum);
                move || *sum.lock().unwrap() += 1
            });
            assert_eq!(*sum.lock().unwrap(), 2);
        }
        DROPPED.fetch_add(1, Ordering::SeqCst);
    }
}

thread_local! {
    static LOCAL: RefCell<Option<CallsElsewhere>> = const { RefCell::new(None) };
}

#[expect(unsafe_code, reason = "std never ends a thread so")]
extern "C-unwind" fn start(_: *mut c_void) -> *mut c_void {
    LOCAL.set(Some(CallsElsewhere));
    // SAFETY: no frame of this thread has anything to drop.
    unsafe { libc::pthread_exit(ptr::null_mut()) }
}

/// A thread of libc's ends in its midst, and its thread-local's destructor works on all nodes.
pub(crate) fn thread_exit() -> String {
    for i in 0..cluster::size() {
        cluster::spawn(i, start_and_join).join().unwrap();
        assert_eq!(DROPPED.load(Ordering::SeqCst), i + 1);
    }
    format!("{} threads", cluster::size())
}

fn start_and_join() {
    spread_c::join(spread_c::start(start, ptr::null_mut()));
}

/// Waiters and wakers of any node meet without the flag that says that they are of one process.
pub(crate) fn shared_futex() -> String {
    for home in 0..cluster::size() {
        let word = place::call(cluster::nth(home), || Arc::new(AtomicU32::new(3)));
        for waiter in 0..cluster::size() {
            let word = &*word;
            thread::scope(|scope| {
                let waiting = cluster::scoped(scope, waiter, || futex(word, libc::FUTEX_WAIT, 3));
                cluster::scoped(scope, waiter + 1, || {
                    // The word stays as it is: nothing but this wake ends the wait.
                    while futex(word, libc::FUTEX_WAKE, 1) == 0 {
                        thread::yield_now();
                    }
                });
                assert_eq!(waiting.join().unwrap(), 0);
            });
        }
        assert_eq!(cluster::spawn(home + 1, move || futex(&word, libc::FUTEX_WAIT, 4)).join().unwrap(), -1);
    }
    format!("{} pairs", cluster::size() * cluster::size())
}

/// A thread at home sleeps in its waits, also while threads of other nodes wait.
pub(crate) fn futex_beside_waiters() -> String {
    const WAITS: usize = 100;
    for home in 0..cluster::size() {
        let words = place::call(cluster::nth(home), || Arc::new([const { AtomicU32::new(3) }; 2]));
        let [word, other] = &*words;
        thread::scope(|scope| {
            let waiting = cluster::scoped(scope, home + 1, || futex(word, libc::FUTEX_WAIT, 3));
            let at_home = cluster::scoped(scope, home, || (0..WAITS).filter(|_| times_out(other, 3)).count());
            assert_eq!(at_home.join().unwrap(), WAITS);
            while futex(word, libc::FUTEX_WAKE, 1) == 0 {
                thread::yield_now();
            }
            assert_eq!(waiting.join().unwrap(), 0);
        });
    }
    format!("{} waits", WAITS * cluster::size())
}

/// Whether a short wait for a word that nobody changes ends by its time.
#[expect(unsafe_code, reason = "std hides why a wait has ended")]
fn times_out(word: &AtomicU32, value: u32) -> bool {
    let time = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: word and time are valid for the call.
    let result = unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, &raw const time, 0_usize, 0_usize)
    };
    result == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ETIMEDOUT)
}

#[expect(unsafe_code, reason = "std does not wait without the flag")]
fn futex(word: &AtomicU32, operation: i32, value: u32) -> i64 {
    let no_timeout = ptr::null::<libc::timespec>();
    // SAFETY: the word is valid for the call, and there is no timeout.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, no_timeout, 0_usize, 0_usize) }
}

/// Children of `fork` end by `exit` on every node, and the program goes on.
pub(crate) fn forked_exit() -> String {
    let counter = Arc::new(Mutex::new(0));
    for i in 0..cluster::size() {
        for code in [3, 0] {
            assert_eq!(cluster::spawn(i, move || child_that_exits(code)).join().unwrap(), code);
        }
        // Its node still works with the others.
        for node in place::nodes() {
            let counter = Arc::clone(&counter);
            place::call(node, move || *counter.lock().unwrap() += 1);
        }
    }
    assert_eq!(*counter.lock().unwrap(), cluster::size() * cluster::size());
    format!("{} children", 2 * cluster::size())
}

/// The code with which the child ended.
#[expect(unsafe_code, reason = "std starts programs only")]
fn child_that_exits(code: i32) -> i32 {
    // SAFETY: the child only ends; it has no thread but this one.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        // SAFETY: no other thread of the child can run the handlers too.
        unsafe { libc::exit(code) };
    }
    let mut status = 0;
    // SAFETY: the status is writable.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status), "the child's status is {status:#x}");
    libc::WEXITSTATUS(status)
}

/// Every node prints through C's stream, which has a buffer of its own on each.
pub(crate) fn streams() -> String {
    for (i, node) in place::nodes().enumerate() {
        place::call(node, move || print(i));
    }
    format!("{} lines", cluster::size())
}

#[expect(unsafe_code, reason = "C's printf")]
fn print(number: usize) {
    unsafe extern "C" {
        fn printf(format: *const c_char, ...) -> i32;
    }
    // SAFETY: the format takes one argument of this type.
    let written = unsafe { printf(c"printed by C as %zu\n".as_ptr(), number) };
    assert!(written > 0);
}
