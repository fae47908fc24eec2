//! [`JoinHandle`].

use super::running::Running;
use std::fmt;
use std::os::unix::thread::{JoinHandleExt, RawPthread};
use std::thread::{Result, Thread};

/// An owned permission to join on a thread (block on its termination).
///
/// Dropping it *detaches* the thread. It may be sent to any node and joined there.
///
/// # Network
/// Joining the handle of a thread of another node: 1 message after the thread has ended. A thread of this
/// node: 0. A handle that was sent to another node than the thread's is joined through the node that started the
/// thread: 1 RTT more.
///
/// # Differences from std
/// It is not the type `std::thread::JoinHandle`: a function of a crate that names that type does not accept
/// it.
///
/// # Examples
/// ```
/// # use dstd_runtime as dstd;
/// use dstd::thread;
///
/// let handle: thread::JoinHandle<String> = thread::spawn(|| "from afar".to_string());
/// assert_eq!(handle.join().unwrap(), "from afar");
/// ```
pub struct JoinHandle<T>(pub(super) Running<T>);

// SAFETY: the result was `Send` when the thread was started, and sharing the handle gives no access to it.
unsafe impl<T> Send for JoinHandle<T> {}
// SAFETY: the shared methods read only the thread's handle and whether it has ended.
unsafe impl<T> Sync for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// Extracts a handle to the underlying thread: the one that [`current`](super::current) yields there.
    ///
    /// # Network
    /// 0 for a thread of this node; 1 RTT at the first call for another.
    ///
    /// # Examples
    /// ```
    /// # use dstd_runtime as dstd;
    /// use dstd::thread;
    ///
    /// let parked = thread::spawn(|| thread::park());
    /// parked.thread().unpark();
    /// parked.join().unwrap();
    /// ```
    #[must_use]
    pub fn thread(&self) -> &Thread {
        self.0.thread()
    }

    /// Waits for the thread to finish, including the destructors of its thread-local variables, and returns
    /// its result.
    ///
    /// If the thread panicked, `Err` holds the payload of the panic. All operations of the thread happen
    /// before `join` returns.
    ///
    /// # Network
    /// 1 message after the thread has ended, which carries the result; a result above 64 KiB stays at the
    /// thread's node until it is read. 0 for a thread of this node.
    ///
    /// # Panics
    /// May panic if a thread joins itself, as in std.
    ///
    /// # Examples
    /// ```
    /// # use dstd_runtime as dstd;
    /// use dstd::thread;
    ///
    /// let failed = thread::spawn(|| panic!("no luck")).join();
    /// assert_eq!(failed.unwrap_err().downcast_ref::<&str>(), Some(&"no luck"));
    /// ```
    pub fn join(self) -> Result<T> {
        self.0.join()
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
    /// let handle = thread::spawn(|| 6 * 7);
    /// while !handle.is_finished() {
    ///     thread::yield_now();
    /// }
    /// assert_eq!(handle.join().unwrap(), 42);
    /// ```
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").finish_non_exhaustive()
    }
}

const NOT_HERE: &str = "the thread was started on another node, which alone knows its pthread_t";

/// # Panics
/// For a thread that was started on another node than its spawner's.
impl<T> JoinHandleExt for JoinHandle<T> {
    fn as_pthread_t(&self) -> RawPthread {
        self.0.std_handle().expect(NOT_HERE).as_pthread_t()
    }

    fn into_pthread_t(self) -> RawPthread {
        self.0.into_std_handle().expect(NOT_HERE).into_pthread_t()
    }
}
