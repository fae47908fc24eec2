//! [`scope`]: threads of any node that borrow from the one that started them.
//!
//! *Invariants*: COH-1 (borrows are the compiler's; they hold because no scoped thread outlives its scope).
//!
//! *Layout*: one [`State`] per scope, in the user heap of the thread that called [`scope`], shared by the
//! scope and its handles.
//!
//! *Who may touch what, when*
//! ```text
//! unjoined   threads started and not yet joined; changed under the lock by spawner, joiner, owner
//! dropped    threads whose handle was dropped; pushed by whoever drops it, joined by the owner
//!            (or earlier, once finished)
//! panicked   set under the lock when a thread of `dropped` turns out to have panicked
//! ```
//! A running thread belongs to its handle; a dropped handle gives it to `dropped`. Either way exactly one
//! place joins it, takes or drops its result, and only then counts `unjoined` down. The scope ends when the
//! count is 0: by then no thread runs and no result is left that could borrow from the scope. A forgotten
//! handle keeps its scope waiting, as in std.
//!
//! *Why not safe code*: the list of dropped handles outlives, in type, the lifetime `'scope` that its
//! entries borrow from.

use super::builder::Builder;
use super::running::Running;
use super::slot::or_abort;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Result, Thread};

/// A scope to spawn scoped threads in. See [`scope`].
///
/// It may be used by the threads of the scope, on any node.
///
/// Without invariance over `'scope`, this would compile:
/// ```compile_fail,E0373
/// # use dstd_runtime as dstd;
/// dstd::thread::scope(|s| {
///     s.spawn(|| {
///         let a = String::from("abcd");
///         s.spawn(|| println!("{a:?}")); // might run after `a` is dropped
///     });
/// });
/// ```
pub struct Scope<'scope, 'env: 'scope> {
    state: Arc<State>,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// An owned permission to join on a scoped thread (block on its termination).
///
/// Dropping it leaves the thread to be joined at the end of the scope.
///
/// # Network
/// As [`JoinHandle`](super::JoinHandle); dropping it costs nothing.
///
/// # Examples
/// ```
/// # use dstd_runtime as dstd;
/// use dstd::thread;
///
/// let text = String::from("borrowed");
/// thread::scope(|s| {
///     let handle: thread::ScopedJoinHandle<'_, usize> = s.spawn(|| text.len());
///     assert_eq!(handle.join().unwrap(), 8);
/// });
/// ```
pub struct ScopedJoinHandle<'scope, T> {
    /// `None` once joined.
    running: Option<Running<T>>,
    state: Arc<State>,
    scope: PhantomData<&'scope mut &'scope ()>,
}

// SAFETY: the result is `Send`, and sharing the handle gives no access to it.
unsafe impl<T: Send> Send for ScopedJoinHandle<'_, T> {}
// SAFETY: the shared methods read only the thread's handle and whether it has ended.
unsafe impl<T: Send> Sync for ScopedJoinHandle<'_, T> {}

/// What a scope and its handles share.
struct State {
    threads: Mutex<Threads>,
    /// Told when a thread is joined or its handle dropped.
    changed: Condvar,
}

struct Threads {
    unjoined: usize,
    dropped: Vec<Box<dyn Unjoined>>,
    /// The length of `dropped` at which finished threads are looked for, so that a scope of many short
    /// threads keeps few of them.
    sweep_at: usize,
    panicked: bool,
}

/// A thread whose handle was dropped, without the type of its result.
trait Unjoined: Send {
    fn is_finished(&self) -> bool;
    /// Joins the thread, drops its result, and says whether it panicked.
    fn finish(self: Box<Self>) -> bool;
}

/// The first sweep comes after so many dropped handles.
const SWEEP_AT_FIRST: usize = 16;

struct Dropped<T>(Running<T>);

// SAFETY: made only from the handles of scoped threads, whose results are `Send`.
unsafe impl<T> Send for Dropped<T> {}

impl<T> Unjoined for Dropped<T> {
    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    fn finish(self: Box<Self>) -> bool {
        or_abort("a scoped thread cannot be joined at the end of its scope", || {
            let outcome = self.0.join();
            let panicked = outcome.is_err();
            or_abort("thread result panicked on drop", || drop(outcome));
            panicked
        })
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a thread down, after its end and that of its result.
    fn joined(&self, panicked: bool) {
        let mut threads = self.lock();
        threads.unjoined -= 1;
        threads.panicked |= panicked;
        self.changed.notify_all();
    }

    /// Joins every thread whose handle was dropped and waits for the others to be joined.
    fn finish_all(&self) {
        let mut threads = self.lock();
        while threads.unjoined != 0 {
            if let Some(thread) = threads.dropped.pop() {
                drop(threads);
                self.joined(thread.finish());
                threads = self.lock();
            } else {
                threads = self.changed.wait(threads).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Takes over the thread of a dropped handle, and joins those that have finished if there are many by
    /// now.
    fn drop_handle(&self, thread: Box<dyn Unjoined>) {
        let mut threads = self.lock();
        threads.dropped.push(thread);
        self.changed.notify_all();
        if threads.dropped.len() < threads.sweep_at {
            return;
        }
        let (finished, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut threads.dropped).into_iter().partition(|thread| thread.is_finished());
        threads.sweep_at = SWEEP_AT_FIRST.max(2 * rest.len());
        threads.dropped = rest;
        drop(threads);
        for thread in finished {
            self.joined(thread.finish());
        }
    }
}

/// Creates a scope for spawning scoped threads, on this node and others.
///
/// Scoped threads may borrow what outlives the call to `scope`; a thread on another node reaches it through
/// the page engine. All threads of the scope that were not joined are joined before `scope` returns, also
/// if the closure panics.
///
/// # Network
/// 0, and 1 message for each thread of another node that is joined at the end.
///
/// # Panics
/// With "a scoped thread panicked", if a thread panicked whose handle was not joined; or with the panic of
/// the closure.
///
/// # Differences from std
/// Threads joined at the end of the scope have run the destructors of their thread-local variables.
///
/// # Examples
/// ```
/// # use dstd_runtime as dstd;
/// use dstd::thread;
///
/// let mut a = vec![1, 2, 3];
/// let mut x = 0;
/// thread::scope(|s| {
///     s.spawn(|| assert_eq!(a[1], 2));
///     s.spawn(|| x += a[0] + a[2]);
/// });
/// a.push(4);
/// assert_eq!(x, a.len());
/// ```
#[track_caller]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let threads = Threads { unjoined: 0, dropped: Vec::new(), sweep_at: SWEEP_AT_FIRST, panicked: false };
    let state = Arc::new(State { threads: Mutex::new(threads), changed: Condvar::new() });
    let scope = Scope { state, scope: PhantomData, env: PhantomData };
    // A panic waits until the threads have ended, for they may borrow what it would unwind.
    let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
    scope.state.finish_all();
    let panicked = scope.state.lock().panicked;
    match result {
        Err(panic) => resume_unwind(panic),
        Ok(_) if panicked => panic!("a scoped thread panicked"),
        Ok(result) => result,
    }
}

impl<'scope, 'env> Scope<'scope, 'env> {
    /// Spawns a new thread within the scope, on this node or another, and returns a [`ScopedJoinHandle`]
    /// for it.
    ///
    /// The node is chosen as by [`spawn`](super::spawn).
    ///
    /// # Network
    /// 1 RTT to another node, 0 on this one. Borrowed data is fetched page by page as the thread touches it.
    ///
    /// # Panics
    /// If the node cannot start a thread; [`Builder::spawn_scoped`] returns the error instead.
    ///
    /// # Examples
    /// ```
    /// # use dstd_runtime as dstd;
    /// use dstd::thread;
    ///
    /// let mut squares = [0, 1, 2, 3];
    /// thread::scope(|s| {
    ///     for number in &mut squares {
    ///         s.spawn(move || *number *= *number);
    ///     }
    /// });
    /// assert_eq!(squares, [0, 1, 4, 9]);
    /// ```
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        Builder::new().spawn_scoped(self, f).expect("failed to spawn thread")
    }

    /// Counts a thread, starts it with `start`, and uncounts it if that fails.
    pub(super) fn start<T>(
        &'scope self,
        start: impl FnOnce() -> io::Result<Running<T>>,
    ) -> io::Result<ScopedJoinHandle<'scope, T>> {
        /// Uncounts the thread if starting it failed or panicked.
        struct NotStarted<'a>(&'a State);
        impl Drop for NotStarted<'_> {
            fn drop(&mut self) {
                self.0.joined(false);
            }
        }
        self.state.lock().unjoined += 1;
        let guard = NotStarted(&self.state);
        let running = start()?;
        std::mem::forget(guard);
        Ok(ScopedJoinHandle { running: Some(running), state: Arc::clone(&self.state), scope: PhantomData })
    }
}

const HELD: &str = "a handle holds its thread until it is joined or dropped";

impl<'scope, T> ScopedJoinHandle<'scope, T> {
    /// Extracts a handle to the underlying thread.
    ///
    /// # Network
    /// 0 for a thread of this node; 1 RTT at the first call for another.
    ///
    /// # Examples
    /// ```
    /// # use dstd_runtime as dstd;
    /// use dstd::thread;
    ///
    /// thread::scope(|s| {
    ///     let handle = s.spawn(|| thread::park());
    ///     handle.thread().unpark();
    /// });
    /// ```
    #[must_use]
    pub fn thread(&self) -> &Thread {
        self.running.as_ref().expect(HELD).thread()
    }

    /// Waits for the thread to finish and returns its result; `Err` holds the payload of its panic.
    ///
    /// # Network
    /// As [`JoinHandle::join`](super::JoinHandle::join).
    ///
    /// # Panics
    /// May panic if a thread joins itself, as in std.
    ///
    /// # Examples
    /// ```
    /// # use dstd_runtime as dstd;
    /// use dstd::thread;
    ///
    /// thread::scope(|s| {
    ///     let handle = s.spawn(|| panic!("oh no"));
    ///     assert!(handle.join().is_err());
    /// });
    /// ```
    pub fn join(mut self) -> Result<T> {
        let running = self.running.as_ref().expect(HELD);
        // The handle survives this panic and is dropped, so that the scope still waits for the thread.
        assert!(!running.is_current(), "a thread cannot join itself");
        let running = self.running.take().expect(HELD);
        // Should the join panic, the thread is still running: then it stays counted, and the scope waits
        // rather than end before it.
        let outcome = running.join();
        self.state.joined(false);
        outcome
    }

    /// Checks if the thread has finished running its main function. Never blocks for the thread.
    ///
    /// # Network
    /// 0 for a thread of this node or one whose end is known here.
    ///
    /// # Examples
    /// ```
    /// # use dstd_runtime as dstd;
    /// use dstd::thread;
    ///
    /// thread::scope(|s| {
    ///     let handle = s.spawn(|| ());
    ///     while !handle.is_finished() {
    ///         thread::yield_now();
    ///     }
    /// });
    /// ```
    pub fn is_finished(&self) -> bool {
        self.running.as_ref().expect(HELD).is_finished()
    }
}

impl<T> Drop for ScopedJoinHandle<'_, T> {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        let thread: Box<dyn Unjoined + '_> = Box::new(Dropped(running));
        // SAFETY: only the lifetime changes: the scope does not end before it has emptied its list, so the
        // entry is gone when its borrows end.
        let thread =
            unsafe { std::mem::transmute::<Box<dyn Unjoined + '_>, Box<dyn Unjoined + 'static>>(thread) };
        self.state.drop_handle(thread);
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = self.state.lock();
        f.debug_struct("Scope")
            .field("num_running_threads", &threads.unjoined)
            .field("a_thread_panicked", &threads.panicked)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle").finish_non_exhaustive()
    }
}
