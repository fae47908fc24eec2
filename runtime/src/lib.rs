//! The runtime below the dstd facades.
//!
//! Users do not depend on this crate: they depend on `dstd` or `dstd-std`.

mod alloc;
mod boot;
mod config;
mod context;
mod domain;
mod fatal;
mod interpose;
mod node;
mod page;
pub mod place;
mod raw;
mod record;
mod ship;
mod stack;
mod statics;
pub mod thread;

#[doc(hidden)]
pub use interpose::keep as __keep;
