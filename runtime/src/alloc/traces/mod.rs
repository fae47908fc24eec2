//! From where memory was allocated: kept with `--hot-pages`, in programs whose nodes serve each other's pages.
//!
//! ```text
//!  alloc (route) --- off: nothing on the way of an allocation
//!     | on: user threads have no cache in the fast place, so all allocations take the slow path
//!     v
//!  known: the chain of calls met last at this depth of the stack, still the same?  (some loads)
//!     | no
//!     v
//!  unwind: the compiler's unwinder, which std links anyway            (two or three microseconds)
//!     v
//!  table: chain -> number (u16)       notes of the heap: block -> number
//!                                          ^ the engine of the page's home looks here (`node/blocks`)
//! ```
//! *Invariants*: ISO-2: no lock of the runtime is taken. This is the one piece of runtime code that runs on the stack of
//! the program, in the partition or wherever else, and not on the native one (`stack/native`): the unwinder reads that
//! stack, which may fault, when no cache is borrowed. HEAP-2: a block is noted at its home, by the thread that has just allocated it.
//!
//! *Layout*: the table of chains is leaked memory of the private heap, made before user code runs.
//!
//! *Who may touch what, when*: see `table`.
//!
//! *Why not safe code*: it reads the thread's own stack.

mod table;
mod unwind;

use core::ops::Range;
use std::sync::OnceLock;

use dstd_control::stats::blocks::{PageOfBlocks, TRACE_CALLS, Trace};

use self::table::Table;
use self::unwind::Chain;
use super::boot::{self, PARTITION};
use super::flag;
use crate::context;
use crate::record::{self, Record};

/// What remembers chains of calls, once somebody wants it.
struct Traces {
    table: Table,
    /// What is to be subtracted from the address of an instruction to get its address in the program's file.
    image_bias: u64,
    /// The program's instructions.
    code: Range<u64>,
}

static TRACES: OnceLock<Traces> = OnceLock::new();

/// Remembers from now on from where user memory is allocated; `code` are the program's instructions, `image_bias` what the
/// kernel has added to the addresses in its file. Before user code runs.
pub(crate) fn trace(image_bias: u64, code: Range<u64>) {
    let _runtime = flag::enter();
    if PARTITION.keep_notes() {
        TRACES.get_or_init(|| Traces { table: Table::new(), image_bias, code });
        super::route::move_cache();
    }
}

/// Whether allocations are to be noted.
#[inline]
pub(super) fn on() -> bool {
    TRACES.get().is_some()
}

/// Notes from where the block of `size` bytes at `addr` was allocated: by the function that calls this one. No cache may be
/// borrowed.
#[inline(never)]
pub(super) fn note(addr: u64, size: usize) {
    // A child of `fork` has no page that anybody asks for; and the statistics are its parent's.
    let Some(traces) = TRACES.get().filter(|_| !context::is_child()) else { return };
    // What the unwinder allocates, if it ever does, is the runtime's.
    let _runtime = flag::enter();
    // SAFETY: what the record of this thread says.
    let number = unsafe { traces.table.number_here(stack_end()) };
    if PARTITION.contains(addr) {
        PARTITION.note(addr, number);
    } else if boot::reservation().striped_range().contains(&addr)
        && let Some(stats) = context::stats()
    {
        stats.blocks.note_striped(addr, size as u64, &traces.trace(number));
    }
}

/// Where the stack ends that this thread is on, if that is its own one in the partition; else 0: a handler of signals or a
/// coroutine may run on any.
fn stack_end() -> u64 {
    let mark = 0_u8;
    let here = (&raw const mark).addr() as u64;
    let own = record::current().and_then(Record::stack);
    let own = own.map_or(0..0, |(start, bytes)| start..start + bytes);
    if own.contains(&here) { own.end } else { 0 }
}

/// Notes that a striped block has another size, or is no more (`None`).
pub(super) fn note_size(addr: u64, size: Option<usize>) {
    if let Some(stats) = context::stats().filter(|_| on() && !context::is_child()) {
        stats.blocks.resize_striped(addr, size.map(|size| size as u64));
    }
}

/// Engine: what blocks lie on the page of this node's heap at `page`, and the numbers of their traces.
pub(crate) fn page_of_blocks(page: u64) -> Option<(PageOfBlocks, impl Iterator<Item = u16>)> {
    let (first, bytes) = PARTITION.block_around(page)?;
    let blocks = (first..page + dstd_addr::PAGE_BYTES).step_by(usize::try_from(bytes).ok()?);
    Some((PageOfBlocks { first, bytes }, blocks.map(|block| PARTITION.noted(block))))
}

/// What the trace with this number is.
pub(crate) fn trace_of(number: u16) -> Trace {
    TRACES.get().map_or([0; TRACE_CALLS], |traces| traces.trace(number))
}

impl Traces {
    /// The calls in the program itself; others, in C libraries, have no address in its file.
    fn trace(&self, number: u16) -> Trace {
        let mut trace = [0; TRACE_CALLS];
        let chain = self.table.chain(number).unwrap_or_else(Chain::empty);
        let own = |call: &u64| {
            let is_own = self.code.contains(call);
            is_own.then(|| u32::try_from(call - self.image_bias).ok()).flatten()
        };
        for (place, call) in trace.iter_mut().zip(chain.calls().iter().filter_map(own)) {
            *place = call;
        }
        trace
    }
}
