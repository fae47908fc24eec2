//! Where memory comes from: user threads allocate in the partition, the runtime in its private heap.
//!
//! ```text
//!  Rust: #[global_allocator]     C: malloc family (16-byte header)
//!               \                  /
//!                route: which heap?            flag of the thread (alloc), address (free)
//!               /        |         \
//!   partition heap   private heap   early area (before the environment can be read)
//!        |
//!   remote frees -> sink (engine) ... accept_remote <- engine
//! ```
//! The choice follows the thread's flag on allocation ([`enter`], [`leave`]) and the address on a
//! free. The ranges are mapped at the first allocation, from `DSTD_RANK`, `DSTD_SIZE` and
//! `DSTD_HEAP_BYTES` ([`reservation`]).
//!
//! Without the feature `global-alloc` the program keeps its own allocator; then it must be the
//! only node ([`PRESENT`]).

#![cfg_attr(
    not(feature = "global-alloc"),
    allow(dead_code, reason = "without the feature nobody allocates through this module")
)]

mod boot;
#[cfg(feature = "global-alloc")]
mod c_family;
mod early;
mod end;
mod environ;
mod flag;
mod fork;
#[cfg(feature = "global-alloc")]
mod global;
#[cfg(feature = "global-alloc")]
pub(crate) use c_family::keep;
mod idle;
mod remote;
mod route;
mod striped;
#[cfg(all(test, feature = "global-alloc"))]
mod tests;
mod traces;

pub(crate) use boot::reservation;
pub(crate) use flag::{enter, in_runtime, leave};
pub(crate) use idle::{flush_all_remote, keep_bytes, publish, reclaim, return_memory, take_in};
pub(crate) use remote::{accept_remote, set_remote_sink};
pub(crate) use striped::{release_striped, reserve_striped};
pub(crate) use traces::{page_of_blocks, trace, trace_of};

/// Nothing to keep: the C family is libc's.
#[cfg(not(feature = "global-alloc"))]
pub(crate) fn keep() -> *const () {
    core::ptr::null()
}

/// Whether the program's allocations go through this module.
pub(crate) const PRESENT: bool = cfg!(feature = "global-alloc");
