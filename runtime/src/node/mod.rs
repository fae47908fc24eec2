//! The engine thread: it owns the directory, the sockets and the futex table of this node.
//!
//! It waits for nobody but the kernel: user threads hand it work through a lock-free queue and
//! it answers by setting a word they sleep on.

mod blocks;
mod discards;
mod engine;
mod faults;
mod futexes;
mod hot;
mod pages;
mod program;
mod queue;
mod request;
mod rounds;
mod ships;
mod strays;
mod stripes;

pub(crate) use program::goodbye;

pub(crate) use engine::{Engine, event_fd};
pub(crate) use futexes::remote_waiters;
pub(crate) use queue::Queue;
pub(crate) use request::{FutexState, Request};
pub(crate) use ships::{ShipState, Shipped};
