//! A thread that was started and is not yet joined, wherever it runs.
//!
//! *Invariants*: SHIP-2 (a shipped closure runs at most once).
//!
//! *Layout*: a thread of the spawner's own node is a plain std thread; any other is a [`ship::Remote`].
//!
//! *Who may touch what, when*: std's handle may be used on every node, since joins find the node of a `pthread_t`
//! (`interpose/join.rs`). A remote one holds a place in the private heap of the node that started the thread (HEAP-1), but
//! handles are `Send`: so it remembers that node, and whatever asks for it is called there.
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
pub(super) enum Running<T> {
    /// A thread of the node that started it.
    Std(std::thread::JoinHandle<T>),
    /// A thread that was shipped.
    Remote(RemoteThread<T>),
}

/// A thread that was shipped, wherever its handle is now.
pub(super) struct RemoteThread<T> {
    /// The node that started the thread, where `thread` may be used.
    starter: NodeId,
    thread: ManuallyDrop<Remote>,
    result: PhantomData<T>,
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
        let _directed = place::staying();
        // SAFETY: the caller promises that the borrows of `f` and its result outlive the thread.
        let handle = unsafe { builder.spawn_unchecked(f) }?;
        return Ok(Running::Std(handle));
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
        Ok(remote) => Ok(Running::Remote(RemoteThread {
            starter: ship::here(),
            thread: ManuallyDrop::new(remote),
            result: PhantomData,
        })),
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
    /// Waits for the thread and its thread-local destructors, and returns its outcome.
    pub(super) fn join(self) -> Result<T> {
        match self {
            Running::Std(thread) => thread.join(),
            Running::Remote(thread) => thread.join(),
        }
    }

    /// Whether the closure has returned.
    pub(super) fn is_finished(&self) -> bool {
        match self {
            Running::Std(thread) => thread.is_finished(),
            // SAFETY: a remote thread is `Sync`, and a truth value is `Send`.
            Running::Remote(RemoteThread { starter, thread, .. }) => unsafe {
                at(*starter, || thread.is_finished())
            },
        }
    }

    /// The handle that `thread::current()` yields on that thread.
    pub(super) fn thread(&self) -> &Thread {
        match self {
            Running::Std(thread) => thread.thread(),
            // SAFETY: a remote thread is `Sync`, as is the std handle in it, which the call only lends.
            Running::Remote(RemoteThread { starter, thread, .. }) => unsafe {
                at(*starter, || thread.thread())
            },
        }
    }

    /// Whether this is known to be the calling thread.
    pub(super) fn is_current(&self) -> bool {
        self.std_handle().is_some_and(|handle| handle.thread().id() == std::thread::current().id())
    }

    /// The std handle, if the thread was not shipped.
    pub(super) fn std_handle(&self) -> Option<&std::thread::JoinHandle<T>> {
        match self {
            Running::Std(thread) => Some(thread),
            Running::Remote(_) => None,
        }
    }

    /// The std handle, if the thread was not shipped.
    pub(super) fn into_std_handle(self) -> Option<std::thread::JoinHandle<T>> {
        match self {
            Running::Std(thread) => Some(thread),
            Running::Remote(_) => None,
        }
    }
}

impl<T> RemoteThread<T> {
    fn join(self) -> Result<T> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so the thread is taken once.
        let thread = unsafe { ManuallyDrop::take(&mut this.thread) };
        let join = move || {
            let mut result = Slot::empty();
            // SAFETY: the thread was started by a job whose result has this type.
            unsafe { thread.join(result.bytes()) };
            // SAFETY: the join has returned, so the result is written.
            unsafe { result.into_value() }
        };
        // SAFETY: a remote thread is `Send`; the result was, when the thread was started.
        unsafe { at(this.starter, join) }
    }
}

impl<T> Drop for RemoteThread<T> {
    fn drop(&mut self) {
        // SAFETY: the value is being dropped, so the thread is taken once.
        let thread = unsafe { ManuallyDrop::take(&mut self.thread) };
        // SAFETY: a remote thread is `Send`; a detached thread drops its result, or this does, as its bound
        // allows.
        unsafe { at(self.starter, move || drop(thread)) }
    }
}
