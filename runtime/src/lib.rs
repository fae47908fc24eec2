//! The runtime below the dstd facades.
//!
//! Users do not depend on this crate: they depend on `dstd` or `dstd-std`.
//!
//! Programs have several nodes on Linux, x86-64, glibc. Built for any other target (`cfg(one_node)`, set by the
//! build script) a program is one node, and its threads are std's own: the modules of `one_node` stand in
//! for those of the same name.

#[cfg(not(one_node))]
mod alloc;
#[cfg(not(one_node))]
mod boot;
#[cfg(not(one_node))]
mod config;
#[cfg(not(one_node))]
mod context;
#[cfg(not(one_node))]
mod domain;
#[cfg(not(one_node))]
mod fatal;
#[cfg(not(one_node))]
mod fork;
#[cfg(not(one_node))]
mod interpose;
#[cfg(not(one_node))]
mod keeper;
#[cfg(one_node)]
#[path = "one_node/launched.rs"]
mod launched;
#[cfg(not(one_node))]
mod locals;
#[cfg(not(one_node))]
mod node;
#[cfg(not(one_node))]
mod page;
pub mod place;
#[cfg(not(one_node))]
mod primitive;
#[cfg(not(one_node))]
mod raw;
#[cfg(not(one_node))]
mod record;
#[cfg_attr(one_node, path = "one_node/ship.rs")]
mod ship;
#[cfg(not(one_node))]
mod stack;
#[cfg(not(one_node))]
mod statics;
#[cfg_attr(one_node, path = "one_node/thread.rs")]
pub mod thread;
#[cfg(not(one_node))]
mod wait;

#[cfg(not(one_node))]
#[doc(hidden)]
pub use interpose::keep as __keep;
#[cfg(one_node)]
#[doc(hidden)]
pub use launched::keep as __keep;
