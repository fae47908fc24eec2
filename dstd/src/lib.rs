//! The standard library for a cluster: write `use dstd::..` where a program has `use std::..`.
//!
//! The program stays what it was, a program of threads that share memory. Started by `dstd-launch -n 3 --
//! program`, its threads run on three nodes; started by itself it is one node and behaves as with std.
//!
//! ```
//! use dstd::sync::{Arc, Mutex};
//! use dstd::thread;
//!
//! let total = Arc::new(Mutex::new(0));
//! let threads: Vec<_> = (1..=4)
//!     .map(|number| {
//!         let total = Arc::clone(&total);
//!         thread::spawn(move || *total.lock().unwrap() += number)
//!     })
//!     .collect();
//! for thread in threads {
//!     thread.join().unwrap();
//! }
//! assert_eq!(*total.lock().unwrap(), 10);
//! ```
//!
//! Every module, macro and prelude of std has its name here. Three modules and one more are listed below;
//! all the others are std's, item for item, so that values of crates that use std pass through unchanged.
//!
//! | module | what it is |
//! |---|---|
//! | [`thread`] | std's API; threads run on every node |
//! | [`place`] | where threads run; not in std, and no program needs it |
//! | [`sync`], [`collections`] | std's types, which work between nodes |
//! | all others | std's |
//!
//! To change no source line at all, rename the package `dstd-std` to `std` in Cargo.toml instead: see that
//! package.
//!
//! # Differences from std
//! - What belongs to an operating system is that of the node that has it: process ids, child processes,
//!   `Instant`s of different hosts. Files and sockets work on every node.
//! - Statics of the program are one variable for all nodes; those of std and of C libraries are one for each.
//! - `process::exit` ends the program on all nodes, on whichever it is called.
//! - Threads that other crates start with `std::thread` run on the node that starts them.

#![forbid(unsafe_code)]

/// Everything of std that has no module of its own here: modules, macros, primitive types, preludes.
#[doc(no_inline)]
pub use std::*;

/// Keeps the runtime, with its heap and its start before `main`, in every program that names this crate.
#[doc(hidden)]
pub use dstd_runtime::__keep;

#[doc(inline)]
pub use dstd_runtime::{place, thread};

/// Collection types: see the crate `dstd-collections`.
// A module, and not the crate under another name: the compiler's messages say where a type is found.
pub mod collections {
    #[doc(inline)]
    pub use dstd_collections::*;
}

/// Synchronization primitives: see the crate `dstd-sync`.
pub mod sync {
    #[doc(inline)]
    pub use dstd_sync::*;
}
