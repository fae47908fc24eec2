//! Calls on descriptors of other nodes, made by their owners.
//!
//! A call whose descriptor is another node's travels there; a service thread of the owner makes the same system
//! call on the same buffers, and result and error number come back. New descriptors are the owner's, so their
//! numbers mean the same everywhere.
//!
//! | step | message | from | to |
//! |---|---|---|---|
//! | the call | `Descriptor`, body in `wire.rs` | caller | owner |
//! | it has returned | `Ended` with result, error number, bytes | owner | caller |
//!
//! Buffers: large ones in global memory are used in place, and the owner's kernel faults their pages in. Everything
//! else travels with the call: small buffers, structures, and memory that is one node's alone.
//!
//! *Invariants*: ADDR-1, said of descriptors. ISO-2: the caller waits on its native stack and holds nothing; the service thread holds no
//! lock while the kernel touches user memory. *Who may touch what, when*: the caller's memory is read before the call is sent and
//! written after the answer has come, by the calling thread; in between, the owner's kernel uses what lies in place, as
//! a system call of the caller would. The descriptors of the runtime are nobody's to name (`private.rs`).
//! *Why not safe code*: the arguments of system calls.
//!
//! # Network
//! 2 messages a call, and the pages of a buffer that is used in place.

mod caller;
mod control;
mod directory;
mod memory;
mod owner;
mod private;
mod spans;
mod table;
mod wire;

pub(super) use caller::{call, call_owner, one_owner, passes_foreign};
pub(super) use directory::{Step, call_directory};
pub(crate) use owner::{Call as ServedCall, serve};
pub(crate) use private::{keep_private, set_private};
pub(super) use table::Call;
