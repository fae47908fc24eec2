//! Pure state machines of dstd: pages, futexes, messages.
//!
//! Each engine is a value with `step(now, input, &mut outputs)`: no I/O, clock, threads,
//! randomness or pointers. The same functions run in production, in the model checker and in
//! the simulator.
#![forbid(unsafe_code)]

pub mod codec;
pub mod futex;
pub mod invariants;
pub mod limits;
mod message;
pub mod page;

pub use message::{Message, MessageKind};
