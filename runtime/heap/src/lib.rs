//! Turns the addresses of the dstd heap into memory.
//!
//! Two things live here. A [`Reservation`] maps the ranges that `dstd-addr` lays out and is the
//! only place where a [`dstd_addr::GlobalAddr`] becomes a pointer. A [`Heap`] hands out blocks of
//! one such range; everything it remembers lies in another range, so that it never reads or
//! writes a block that nobody has allocated: a freed block may lie on a page that is at another
//! node at that moment.
//!
//! ```text
//!   caller (thread-local pointer) -> ThreadCache   per class: stack of free addresses, bump range
//!                                      |   refill, flush: 1 batch of up to 126 addresses
//!                                    Central       per class: stacks of batches and ranges (lock-free)
//!                                      |   64 KiB spans, large blocks
//!                                    Runs          runs of whole pages (bins behind a lock, top without)
//! ```
//!
//! Nothing here allocates from the program's allocator, so a `Heap` can be one.

mod arena;
mod cache;
mod class;
mod error;
mod heap;
mod idle;
pub mod invariants;
mod lock;
mod node;
mod notes;
mod pal;
mod primitive;
mod remote;
mod reservation;
mod runs;
mod slow;
mod spans;
mod stack;

pub use cache::ThreadCache;
pub use error::{InitError, MapError, RemoteFreeError};
pub use heap::{Counters, FreedHook, Heap, Waiting};
pub use idle::{IdleRuns, OnItsWay};
pub use node::BATCH_ADDRS;
pub use remote::RemoteBatch;
pub use reservation::{Placed, Reservation};
