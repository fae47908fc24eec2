//! What the lock-free parts are made of: std's, here. `runtime/loom` compiles the same files with its own,
//! which try every order.

pub(crate) use core::hint::spin_loop;
pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering, fence,
};

/// Spins before a waiting thread sleeps: about 2 us, what a warm answer on the same core complex takes.
pub(crate) const WAIT_SPINS: u32 = 64;

/// Threads that can wait for work at a time: a bit of a word for each. More than calls usually run at once.
pub(crate) const IDLE_PLACES: usize = 64;
