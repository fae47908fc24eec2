//! Locks, channels, atomics and shared ownership for threads of any node.
//!
//! These are std's own types. They work between nodes because the memory they live in is coherent and
//! because the system call they all block in, futex, is served by the node that owns the address: a lock
//! taken on one node is seen taken on all, and an unlock wakes a thread wherever it waits.
//!
//! # Network
//! Memory that only one node uses costs nothing. A lock or an atomic that another node used last costs the
//! transfer of its page, about one round trip; waiting costs a message to the node that owns the address,
//! and waking one more.
//!
//! # Differences from std
//! None: the items are std's, so they mix with every crate that uses std.
//!
//! # Examples
//! ```
//! use dstd_sync::{Arc, Mutex};
//!
//! let count = Arc::new(Mutex::new(0));
//! let other = Arc::clone(&count);
//! std::thread::spawn(move || *other.lock().unwrap() += 1).join().unwrap();
//! assert_eq!(*count.lock().unwrap(), 1);
//! ```

#![forbid(unsafe_code)]

pub use std::sync::*;
