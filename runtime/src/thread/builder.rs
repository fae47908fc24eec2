//! [`Builder`] and [`spawn`].

use super::join_handle::JoinHandle;
use super::running;
use super::scope::{Scope, ScopedJoinHandle};
use crate::place;
use std::io;

/// Thread factory, which configures the properties of a new thread: its name and the size of its stack.
///
/// # Network
/// Configuring: 0. Starting the thread: see [`spawn`].
///
/// # Differences from std
/// None but the node: the thread starts where [`place::on`] or the program's placement says.
///
/// # Examples
/// ```
/// # use dstd_runtime as dstd;
/// use dstd::thread;
///
/// let builder = thread::Builder::new().name("worker".into()).stack_size(64 * 1024);
/// let handle = builder.spawn(|| thread::current().name().map(str::to_owned)).unwrap();
/// assert_eq!(handle.join().unwrap().as_deref(), Some("worker"));
/// ```
#[must_use = "must eventually spawn the thread"]
#[derive(Debug)]
pub struct Builder {
    name: Option<String>,
    stack_size: Option<usize>,
}

impl Builder {
    /// Generates the base configuration: no name, the default stack size.
    ///
    /// # Examples
    /// ```
    /// # use dstd_runtime as dstd;
    /// let builder = dstd::thread::Builder::new();
    /// assert_eq!(builder.spawn(|| 3).unwrap().join().unwrap(), 3);
    /// ```
    #[expect(
        clippy::new_without_default,
        reason = "std's has none, and programs may not come to rely on one"
    )]
    pub fn new() -> Builder {
        Builder { name: None, stack_size: None }
    }

    /// Names the thread-to-be, for panic messages and for the operating system of its node.
    ///
    /// The name must not contain null bytes.
    ///
    /// # Examples
    /// ```
    /// # use dstd_runtime as dstd;
    /// let builder = dstd::thread::Builder::new().name("reader".into());
    /// let handle = builder.spawn(|| ()).unwrap();
    /// assert_eq!(handle.thread().name(), Some("reader"));
    /// ```
    pub fn name(mut self, name: String) -> Builder {
        self.name = Some(name);
        self
    }

    /// Sets the size of the stack (in bytes) for the new thread; the node may round it up.
    ///
    /// # Examples
    /// ```
    /// # use dstd_runtime as dstd;
    /// let builder = dstd::thread::Builder::new().stack_size(32 * 1024);
    /// assert_eq!(builder.spawn(|| 3).unwrap().join().unwrap(), 3);
    /// ```
    pub fn stack_size(mut self, size: usize) -> Builder {
        self.stack_size = Some(size);
        self
    }

    /// Spawns a new thread, on this node or another, and returns its [`JoinHandle`].
    ///
    /// # Network
    /// As [`spawn`].
    ///
    /// # Errors
    /// The chosen node could not start the thread; the closure is dropped here.
    ///
    /// # Panics
    /// If a name was set and it contains null bytes.
    ///
    /// # Examples
    /// ```
    /// # use dstd_runtime as dstd;
    /// let handle = dstd::thread::Builder::new().spawn(|| 3).unwrap();
    /// assert_eq!(handle.join().unwrap(), 3);
    /// ```
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T,
        F: Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: nothing that is `'static` ends before the thread.
        unsafe { self.spawn_unchecked(f) }
    }

    /// Spawns a new thread without any lifetime restrictions.
    ///
    /// # Network
    /// As [`spawn`].
    ///
    /// # Errors
    /// As [`Builder::spawn`].
    ///
    /// # Panics
    /// As [`Builder::spawn`].
    ///
    /// # Safety
    /// - The thread does not outlive any reference in the closure or its result: join it before what they
    ///   borrow is dropped, or let them borrow only `'static` data.
    ///
    /// # Examples
    /// ```
    /// # use dstd_runtime as dstd;
    /// let x = 1;
    /// let borrowed = &x;
    /// // SAFETY: joined before `x` ends.
    /// let handle = unsafe { dstd::thread::Builder::new().spawn_unchecked(move || *borrowed + 1) }.unwrap();
    /// assert_eq!(handle.join().unwrap(), 2);
    /// ```
    pub unsafe fn spawn_unchecked<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T,
        F: Send,
        T: Send,
    {
        let node = place::for_spawn();
        // SAFETY: the caller promises that the borrows outlive the thread.
        let running = unsafe { running::start(node, self.name, self.stack_size, f) }?;
        Ok(JoinHandle(running))
    }

    /// Spawns a new scoped thread with these settings; see [`Scope::spawn`].
    ///
    /// # Network
    /// As [`spawn`]. Borrowed data is fetched page by page as the thread touches it.
    ///
    /// # Errors
    /// As [`Builder::spawn`].
    ///
    /// # Panics
    /// As [`Builder::spawn`].
    ///
    /// # Examples
    /// ```
    /// # use dstd_runtime as dstd;
    /// use dstd::thread;
    ///
    /// let mut total = 0;
    /// thread::scope(|s| {
    ///     thread::Builder::new().name("adder".into()).spawn_scoped(s, || total += 5).unwrap();
    /// });
    /// assert_eq!(total, 5);
    /// ```
    pub fn spawn_scoped<'scope, 'env, F, T>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        scope.start(|| {
            let node = place::for_spawn();
            // SAFETY: the scope does not end before the thread is joined, and what lives for `'scope`
            // outlives the scope.
            unsafe { running::start(node, self.name, self.stack_size, f) }
        })
    }
}

/// Spawns a new thread, on this node or another, and returns a [`JoinHandle`] for it.
///
/// The node is the one that [`place::on`] set for this thread, else the choice of the program's
/// `--placement`. The thread is an OS thread of its node; its stack and everything it allocates belong to
/// that node's partition. What the closure captured is reached from there: owned heap data stays where it
/// is and its pages travel as they are touched.
///
/// # Network
/// 1 RTT to another node: the message carries the closure (up to 64 KiB of it; a larger one is boxed and
/// read as it is used). 0 on this node.
///
/// # Panics
/// If the node cannot start a thread; [`Builder::spawn`] returns the error instead.
///
/// # Differences from std
/// Thread-local variables, `Instant`s and file descriptors belong to the node of their thread.
///
/// # Examples
/// ```
/// # use dstd_runtime as dstd;
/// use dstd::thread;
///
/// let words = vec!["in", "the", "beginning"];
/// let handle = thread::spawn(move || words.len());
/// assert_eq!(handle.join().unwrap(), 3);
/// ```
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T,
    F: Send + 'static,
    T: Send + 'static,
{
    Builder::new().spawn(f).expect("failed to spawn thread")
}
