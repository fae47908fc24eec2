//! What the lock-free parts are made of: std's, here. `runtime/loom` compiles the same files with its own,
//! which try every order.

pub(crate) use core::hint::spin_loop;
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
pub(crate) use std::thread::yield_now;
