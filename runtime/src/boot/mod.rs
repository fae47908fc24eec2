//! From the first instruction of the process to `main`.
//!
//! 1. `__libc_start_main` (ours): what a batch system has started becomes a node (re-exec with the variables of one); the address space is made the same on every node (re-exec with
//!    randomisation off), and the last exit handler is registered. Nothing has run yet but libc.
//! 2. libc runs the constructors of the program, then our `main`.
//! 3. One node: the program's `main` runs at once. Several: the slices are mapped, descriptors
//!    are set apart, statics are taken over, the cluster is joined, nodes are connected, the engine starts.
//! 4. Node 0 runs `main` on a user thread; the others serve.

mod aslr;
mod cluster;
mod faults;
mod identity;
mod links;
mod managed;
mod native;
mod shared_key;
mod start;

pub(crate) use identity::{Tls, code, runtime_stack_bytes, tls, tls_bytes};
pub(crate) use start::__libc_start_main;
