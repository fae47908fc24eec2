//! Integers that name nodes, addresses and pages of the dstd heap.
//!
//! Arithmetic only: no pointers, no `unsafe`, no I/O. An address here is *wild*
//! (HEAP-4) until `dstd-heap` has turned it into memory.
//!
//! ```text
//! 0x0100_0000_0000  private heaps of the runtime, one slice a node (never global)
//! 0x0800_0000_0000  alias mappings of the nodes' own heaps, one slice a node (never global)
//! 0x1000_0000_0000  partition 0 | partition 1 | ... | partition N-1       64 x 1 TiB
//! 0x5555_5555_4000  the program (same on every node)
//! 0x7bff_e000_0000  native slices: what a node maps after its start, one 64 GiB slice a node
//! 0x7fff_e000_0000  libraries and the initial stack (same on every node)
//! ```
#![forbid(unsafe_code)]

mod layout;
mod node;
mod page;

pub use layout::{
    ALIAS_BASE, GLOBAL_BASE, GLOBAL_END, HEAP_BYTES_MAX, Kind, Layout, NATIVE_SLICE_BYTES, NATIVE_TOP,
    NODES_MAX, PARTITION_BYTES, PRIVATE_BASE, PRIVATE_SLICE_BYTES, STACKS_BYTES, STACKS_OFFSET, STRIPED_BASE,
    STRIPED_BYTES_MAX, STRIPED_CHUNK_BYTES, Slots, THREADS_BYTES, THREADS_OFFSET,
};
pub use node::{NodeId, NodeSet};
pub use page::{GlobalAddr, PAGE_BYTES, PAGE_SHIFT, PageNo};
