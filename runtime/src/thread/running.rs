//! A thread that was started and is not yet joined, wherever it runs.
//!
//! *Invariants*: SHIP-2 (a shipped closure runs at most once).
//!
//! *Layout*: a thread of the spawner's own node is a plain std thread; any other is a [`ship::Remote`].
//!
//! *Who may touch what, when*: both handles mean something only in the process that started the thread: a std
//! handle holds a `pthread_t`, a remote one a place in the runtime's private heap (HEAP-1). But the thread of
//! either may be joined from any node, for handles are `Send`. So a [`Running`] remembers its node, and
//! whatever asks for the handle itself is called there.
//!
//! *Why not safe code*: scoped threads borrow; that they end in time is the scope's promise, which no type
//! expresses here.

use super::slot::{Slot, job};
use crate::place;
use crate::ship::{self, Remote};
use dstd_addr::NodeId;
use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::thread::{Result, Thread};

/// A started thread; dropping it detaches the thread.
pub(super) struct Running<T> {
    /// The node that started the thread, where `handle` may be used.
    node: NodeId,
    handle: ManuallyDrop<Handle<T>>,
}

enum Handle<T> {
    /// A thread of the node that started it.
    Local(std::thread::JoinHandle<T>),
    /// A thread that was shipped.
    Remote(Remote, PhantomData<T>),
}

/// Starts a thread that runs `f` on `node`.
///
/// # Safety
/// What `f` and its result borrow outlives the thread.
pub(super) unsafe fn start<F, T>(
    node: NodeId,
    name: Option<String>,
    stack_size: Option<usize>,
    f: F,
) -> io::Result<Running<T>>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    if node == ship::here() {
        let mut builder = std::thread::Builder::new();
        if let Some(name) = name {
            builder = builder.name(name);
        }
        if let Some(bytes) = stack_size {
            builder = builder.stack_size(bytes);
        }
        // SAFETY: the caller promises that the borrows of `f` and its result outlive the thread.
        let handle = place::staying(|| unsafe { builder.spawn_unchecked(f) })?;
        return Ok(Running::new(Handle::Local(handle)));
    }
    assert!(
        !name.as_deref().is_some_and(|name| name.contains('\0')),
        "thread name may not contain interior null bytes"
    );
    let job = job::<F, T>(name, stack_size);
    let mut closure = Slot::full(f);
    // SAFETY: the job was made for the type in the slot; the caller promises that its borrows outlive the
    // thread.
    match unsafe { ship::spawn(node, job, closure.bytes()) } {
        Ok(remote) => Ok(Running::new(Handle::Remote(remote, PhantomData))),
        Err(error) => {
            // SAFETY: the closure was not shipped, so the slot still holds it.
            drop(unsafe { closure.into_value() });
            Err(error)
        }
    }
}

/// Runs `f` on a pool thread of `node` and waits for its outcome.
///
/// # Safety
/// `f` and its result may be moved to another thread.
pub(crate) unsafe fn call<F, T>(node: NodeId, f: F) -> Result<T>
where
    F: FnOnce() -> T,
{
    let job = job::<F, T>(None, None);
    let mut closure = Slot::full(f);
    let mut result = Slot::empty();
    let (from, to) = (closure.bytes(), result.bytes());
    // SAFETY: the slots have the types of the job; the borrows of `f` outlive this call, which waits for
    // the end of `f`.
    unsafe { ship::call(node, job, from, to) };
    // SAFETY: the call has returned, so the result is written.
    unsafe { result.into_value() }
}

/// Runs `f` on `node`, here if it is this one; a panic goes on here.
///
/// # Safety
/// `f` and its result may be moved to another thread.
pub(crate) unsafe fn at<R>(node: NodeId, f: impl FnOnce() -> R) -> R {
    if node == ship::here() {
        return f();
    }
    // SAFETY: the caller promises that closure and result may be moved.
    unsafe { call(node, f) }.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl<T> Running<T> {
    fn new(handle: Handle<T>) -> Running<T> {
        Running { node: ship::here(), handle: ManuallyDrop::new(handle) }
    }

    /// Where the handle may be used, and the handle.
    fn into_parts(self) -> (NodeId, Handle<T>) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so the handle is taken once.
        let handle = unsafe { ManuallyDrop::take(&mut this.handle) };
        (this.node, handle)
    }

    /// Waits for the thread and its thread-local destructors, and returns its outcome.
    pub(super) fn join(self) -> Result<T> {
        let (node, handle) = self.into_parts();
        // SAFETY: both handles are `Send`; the result was, when the thread was started.
        unsafe { at(node, move || handle.join()) }
    }

    /// Whether the closure has returned.
    pub(super) fn is_finished(&self) -> bool {
        let handle = &*self.handle;
        let is_finished = || match handle {
            Handle::Local(thread) => thread.is_finished(),
            Handle::Remote(thread, _) => thread.is_finished(),
        };
        // SAFETY: both handles are `Sync`, and a truth value is `Send`.
        unsafe { at(self.node, is_finished) }
    }

    /// The handle that `thread::current()` yields on that thread.
    pub(super) fn thread(&self) -> &Thread {
        match &*self.handle {
            Handle::Local(thread) => thread.thread(),
            // SAFETY: a remote handle is `Sync`, as is the std handle in it, which the call only lends.
            Handle::Remote(thread, _) => unsafe { at(self.node, || thread.thread()) },
        }
    }

    /// Whether this is known to be the calling thread.
    pub(super) fn is_current(&self) -> bool {
        self.std_handle().is_some_and(|handle| handle.thread().id() == std::thread::current().id())
    }

    /// The std handle, if the thread is one of this process.
    pub(super) fn std_handle(&self) -> Option<&std::thread::JoinHandle<T>> {
        match &*self.handle {
            Handle::Local(handle) if self.node == ship::here() => Some(handle),
            _ => None,
        }
    }

    /// The std handle, if the thread is one of this process.
    pub(super) fn into_std_handle(self) -> Option<std::thread::JoinHandle<T>> {
        self.std_handle()?;
        match self.into_parts() {
            (_, Handle::Local(handle)) => Some(handle),
            (_, Handle::Remote(..)) => None,
        }
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        // SAFETY: the value is being dropped, so the handle is taken once.
        let handle = unsafe { ManuallyDrop::take(&mut self.handle) };
        // SAFETY: both handles are `Send`; a detached thread drops its result, or this does, as its bound
        // allows.
        unsafe { at(self.node, move || drop(handle)) }
    }
}

impl<T> Handle<T> {
    fn join(self) -> Result<T> {
        match self {
            Handle::Local(thread) => thread.join(),
            Handle::Remote(thread, _) => {
                let mut result = Slot::empty();
                // SAFETY: the thread was started by a job whose result has this type.
                unsafe { thread.join(result.bytes()) };
                // SAFETY: the join has returned, so the result is written.
                unsafe { result.into_value() }
            }
        }
    }
}
