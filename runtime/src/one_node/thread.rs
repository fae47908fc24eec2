//! Threads: std's own, since a program for this target has one node.
//!
//! # Network
//! 0.
//!
//! # Differences from std
//! None.

pub use std::thread::{
    AccessError, Builder, JoinHandle, LocalKey, Result, Scope, ScopedJoinHandle, Thread, ThreadId,
    available_parallelism, current, panicking, park, park_timeout, scope, sleep, spawn, yield_now,
};
#[allow(deprecated)] // A program that still calls them must compile.
pub use std::thread::{park_timeout_ms, sleep_ms};
