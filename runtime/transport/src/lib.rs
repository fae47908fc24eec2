#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod frame;
#[cfg(fuzzing)]
pub mod fuzzing;
mod inbox;
mod limits;
pub mod mesh;
mod outgoing;
mod primitive;
mod queue;
pub mod shm;
pub mod stub;
mod sys;
pub mod tcp;
mod transport;
pub mod wait;

pub use error::{CloseReason, SendError};
pub use frame::{HEADER_BYTES, Header, body_bytes, set_body_bytes};
pub use limits::Limits;
pub use transport::{Event, Outbox, Transport};
