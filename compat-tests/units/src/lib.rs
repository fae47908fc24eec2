//! Runs test functions one after the other, each on a thread of its own, and notes how each ended and whether it used the network.
//!
//! `cargo xtask compat` links it to std's own test files in the place of libtest's `main`; the functions are still those that
//! `#[test]` marks. A process that hangs or dies is ended by whoever started it, which sees in the file of results
//! in which unit, and starts another one for the rest.
//!
//! ```text
//! program --list                                           one line for each unit that is not ignored
//! program --units FILE --results FILE [--steal]            runs those named in FILE, one name a line
//! ```

#![deny(unsafe_code)]

mod runner;
mod unit;

#[cfg(feature = "cluster")]
mod block;
#[cfg(feature = "cluster")]
mod counters;
#[cfg_attr(not(feature = "cluster"), path = "alone.rs")]
mod nodes;
#[cfg(feature = "cluster")]
mod thief;

#[cfg(feature = "cluster")]
pub use block::Block;
pub use runner::run;
pub use unit::{Body, Panics, Unit};
