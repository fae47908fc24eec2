//! The facade that a program renames to `std`: not a line of its source changes.
//!
//! ```toml
//! [dependencies]
//! std = { package = "dstd-std", version = "0.1" }
//! ```
//!
//! The compiler looks up `std` (for paths, for the prelude and for macros) among the dependencies of a
//! package first, so this crate takes its place in the whole package: program, library, tests,
//! documentation tests, in every edition. Other crates that the program depends on keep the real std; the
//! types are the same, so values pass between them.
//!
//! It holds what [`dstd`] holds, under the same names.
//!
//! # Differences from std
//! Those of [`dstd`]. `extern crate core` and `extern crate alloc` remain the real ones, which is right:
//! they start no threads.

#![forbid(unsafe_code)]

#[doc(no_inline)]
pub use dstd::*;
