//! What the rings are made of: std's, here. `runtime/loom` compiles the same files with its own, which try
//! every order.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
