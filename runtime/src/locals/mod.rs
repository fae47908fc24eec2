//! Thread-locals that other nodes may borrow, and the native stacks they lie on.
//!
//! The native stack of a user thread, with its thread-locals and its control block at the end, is a *slot*:
//! memory of a fixed size at a fixed place in the node's partition, which is never unmapped. So an address of
//! a thread-local is the same memory for ever, and every node knows from the address alone what
//! lies there. Only the pages with the program's own thread-locals are shared; the link script has set
//! them apart.
//!
//! *Invariants*: ADDR-1, HEAP-1; ISO-1 (the engine's own thread-locals lie in no slot).
//!
//! ```text
//! | guard | native stack | of libraries | of the program | of std and the runtime | control block |
//! |<---------------------------------- one slot ------------------------------------------------>|
//!                                       |<-- shared -->|                          ^ fs:0
//! ```
//! *Who may touch what, when*: the shared pages as any global memory. The rest belongs to the slot's thread, to libc, and
//! to the kernel, which writes the control block when the thread ends: it must never be away. A slot serves
//! another thread once its thread can neither be joined any more nor run another instruction.
//!
//! *Why not safe code*: memory is mapped, and libc makes threads on it.

mod geometry;
mod share;
mod slots;

use geometry::SLOT_BYTES_MIN;
pub(crate) use geometry::{check, slots_of};
pub(crate) use share::{each_own, file, map_peer, offer, reserve, unguarded};
pub(crate) use slots::Slot;
