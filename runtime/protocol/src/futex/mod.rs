//! The cluster futex: who waits for an address is known at its home.
//!
//! Waiters on the home node itself sleep in the kernel; this table holds those of other nodes.

mod io;

pub use io::{Input, Output};
