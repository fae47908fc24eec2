//! Threads of the cluster: std's `thread` module, whose threads run on this node and others.
//!
//! [`spawn`], [`scope`] and [`Builder`] have std's signatures and promises. Where a thread runs is decided
//! by [`place::on`](crate::place::on) or, without it, by the program's `--placement`. Everything that
//! concerns the current thread (parking, sleeping, thread-local variables) is std's own: a thread of dstd
//! is a std thread of its node.
//!
//! # Network
//! A program of one node sends no message. Starting a thread on another node costs a message there and
//! back, joining it one message.
//!
//! # Differences from std
//! - [`available_parallelism`] is that of the whole cluster.
//! - A thread-local variable lives at the node of its thread. Threads of other nodes may borrow those of the
//!   program and its crates; a touch of one of std or of a C library from another node stops the program
//!   with exit code 72 and a line that says so.
//! - [`JoinHandle`], [`Builder`], [`Scope`] and [`ScopedJoinHandle`] are types of dstd.
//!
//! # Examples
//! ```
//! # use dstd_runtime as dstd;
//! use dstd::thread;
//!
//! let halves = [0..50, 50..101].map(|half| thread::spawn(move || half.sum::<u32>()));
//! let total: u32 = halves.into_iter().map(|half| half.join().unwrap()).sum();
//! assert_eq!(total, 5050);
//! ```

mod builder;
mod join_handle;
pub(crate) mod running;
mod scope;
mod slot;
#[cfg(test)]
mod tests;

pub use builder::{Builder, spawn};
pub use join_handle::JoinHandle;
pub use scope::{Scope, ScopedJoinHandle, scope};
pub use std::thread::{
    AccessError, LocalKey, Result, Thread, ThreadId, current, panicking, park, park_timeout, sleep, yield_now,
};
#[allow(deprecated)] // A program that still calls them must compile.
pub use std::thread::{park_timeout_ms, sleep_ms};

use std::io;
use std::num::NonZero;

/// The number of threads that the cluster can run at once: the sum of std's answer on every node.
///
/// # Network
/// 0: the nodes tell each other when the program starts.
///
/// # Errors
/// As std: the number is not known or may not be asked for.
///
/// # Differences from std
/// It counts all nodes. It does not change while the program runs.
///
/// # Examples
/// ```
/// # use dstd_runtime as dstd;
/// assert!(dstd::thread::available_parallelism().unwrap().get() >= 1);
/// ```
pub fn available_parallelism() -> io::Result<NonZero<usize>> {
    crate::ship::parallelism()
}
