//! Freed memory that goes back to the system.
//!
//! *Invariants*: HEAP-3 (an idle run belongs to whoever gives its memory back), PAGE-1 (what other
//! nodes may hold is taken back by the page engine first).
//!
//! *Layout*: none of its own.
//!
//! *Who may touch what, when*: the memory of an idle run nobody, until the run is given back.
//!
//! *Why not safe code*: it takes memory away.
//!
//! | program | who | how |
//! |---|---|---|
//! | one node | the thread that frees, when much has been freed | `MADV_DONTNEED` |
//! | several nodes in a domain | the keeper, soon after a free | a hole in the heap's file |
//! | several nodes otherwise | the keeper asks the engine | `Request::Discard` |

use core::ops::Range;
use core::sync::atomic::Ordering;

use dstd_addr::{GlobalAddr, PAGE_BYTES, PageNo};
use dstd_control::stats::Stats;

use super::boot::{self, PARTITION};
use super::{remote, striped};
use crate::{context, keeper, raw};

/// Freed memory that stays for the next allocations, at most an eighth of the heap.
const KEEP_BYTES_MAX: u64 = 32 << 20;
/// A program of one node looks for idle runs when so much was freed since it last did.
const LOOK_BYTES: u64 = 8 << 20;

/// How much freed memory stays while the program allocates.
pub(crate) fn keep_bytes() -> u64 {
    KEEP_BYTES_MAX.min(boot::reservation().heap_bytes() / 8)
}

/// The heap's word that large blocks were freed. Inside a free: takes no cache.
pub(super) fn freed(freed_bytes: u64) {
    if context::cluster().is_some() {
        keeper::note(keeper::FREED);
    } else if boot::reservation().nodes() == 1 && freed_bytes >= LOOK_BYTES {
        return_alone();
    }
}

/// A program of one node: its heap is private memory that nobody else sees.
fn return_alone() {
    while let Some(idle) = PARTITION.take_idle(keep_bytes()) {
        for range in idle.ranges() {
            let (start, len) = (range.start as usize, (range.end - range.start) as usize);
            let arguments = [start, len, libc::MADV_DONTNEED as usize, 0, 0, 0];
            // SAFETY: HEAP-3: the range is an idle run of this heap, so no block lies in it.
            let result = unsafe { raw::syscall(libc::SYS_madvise, arguments) };
            if result != 0 {
                // Memory that the program has locked stays; idle runs read as zero.
                // SAFETY: HEAP-3: as above; the heap is mapped and writable.
                unsafe { core::ptr::write_bytes(start as *mut u8, 0, len) };
            }
            PARTITION.give_idle(range);
        }
    }
}

/// Keeper: gives freed memory back until `keep_bytes` of it stay.
pub(crate) fn return_memory(keep_bytes: u64) {
    let Some(context) = context::cluster() else { return };
    while let Some(idle) = PARTITION.take_idle(keep_bytes) {
        for range in idle.ranges() {
            if context.direct {
                punch(&range);
                PARTITION.give_idle(range);
            } else {
                discard(&range);
            }
        }
    }
}

/// Takes the memory of an idle run away from all nodes of a domain: they map the same file.
fn punch(range: &Range<u64>) {
    let Some(file) = boot::reservation().memfd() else { return };
    let offset = range.start - boot::reservation().heap_range(context::me()).start;
    // SAFETY: HEAP-3: the range is an idle run of the heap on this file, so no block lies in it.
    let result = unsafe { raw::punch_hole(file, offset, range.end - range.start) };
    if result != 0 {
        boot::stop(&format_args!("cannot give memory at {:#x} back: error {}", range.start, -result));
    }
}

/// Has the engine take an idle run from all nodes and give its memory back; waits for it.
fn discard(range: &Range<u64>) {
    let first = GlobalAddr(range.start).page();
    keeper::discard(first, ((range.end - range.start) / PAGE_BYTES) as u32, discarded);
}

/// Engine: the pages read as zero.
fn discarded(first: PageNo, count: u32) {
    let start = first.addr().0;
    PARTITION.give_idle(start..start + u64::from(count) * PAGE_BYTES);
    keeper::discarded();
}

/// Keeper: makes runs of spans that nobody uses.
pub(crate) fn reclaim() {
    let _: Option<bool> = PARTITION.reclaim_spans();
}

/// Keeper: takes in what other nodes have freed here, so that it can be given back.
pub(crate) fn take_in() {
    let Some(mut cache) = PARTITION.cache() else { return };
    // SAFETY: just taken from the heap, so nobody else uses it; borrowed for this call only.
    unsafe { cache.as_mut() }.take_in();
    // SAFETY: from this heap, and not used again.
    unsafe { PARTITION.retire(cache) };
}

/// Keeper: sends what threads of this node have freed elsewhere and not sent yet.
pub(crate) fn flush_all_remote() {
    while let Some(batch) = PARTITION.take_waiting() {
        remote::send(batch);
    }
}

/// Tells the launcher what the heap of user memory has done.
pub(crate) fn publish(stats: &Stats) {
    let counters = PARTITION.counters();
    stats.heap_in_use_bytes.store(counters.in_use_bytes, Ordering::Relaxed);
    stats.heap_returned_bytes.store(counters.returned_bytes, Ordering::Relaxed);
    stats.striped_peak_bytes.store(striped::striped_peak_bytes(), Ordering::Relaxed);
}
