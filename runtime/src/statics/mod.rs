//! The statics of the program and its crates: one variable for the cluster, home node 0.
//!
//! The link script that `build.rs` hands to every program gathers them on pages of their own; here
//! those pages are found, and made memory that the page engine can serve.
//!
//! *Invariants*: ADDR-1 (the pages lie at the same address on every node), ISO-1 (the statics of std, of C
//! objects and of the runtime are on other pages and stay private).
//!
//! ```text
//! .dstd_data  |stdout, stdin|statics with initial values|   page-aligned at both ends
//! .dstd_bss   |zeroed statics                           |   page-aligned at both ends
//! .dstd_tid   |std's counter of thread ids, 8 bytes     |   private
//! ```
//! Each static begins a page of its own (ADR 0022).
//!
//! *Who may touch what, when*: before the take-over nobody (user code has not run, or its writes on nodes
//! other than 0 are dropped); afterwards user threads on every node, and the page engine through its own
//! ways. Runtime threads never: so they do not print through std.
//!
//! *Why not safe code*: the memory under existing variables is replaced.

mod bounds;
mod shared_file;
mod take_over;
mod thread_ids;

pub(crate) use bounds::{ranges, thread_locals};
pub(crate) use shared_file::{file, map, replace_by_holes, share, with_offsets};
pub(crate) use take_over::take_over;
pub(crate) use thread_ids::std_thread_ids;

#[cfg(test)]
mod link_tests;
#[cfg(test)]
mod tests;
