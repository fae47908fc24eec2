//! Thread ids that differ between nodes.

use core::sync::atomic::{AtomicU64, Ordering};

use dstd_addr::NodeId;

use super::bounds::bounds;

/// Thread ids of node k are above `k << NODE_SHIFT`.
const NODE_SHIFT: u32 = 48;

/// Lets std count this node's thread ids from a place of their own, so that no two threads of the
/// cluster have the same `ThreadId`. Returns whether that was possible: the program has std's
/// counter, in the shape that is known, or has no use for it at all.
///
/// # Safety
/// - No other thread exists, and this is called once.
pub(crate) unsafe fn std_thread_ids(me: NodeId) -> bool {
    let [start, end] = bounds().tid;
    if start == 0 {
        return false;
    }
    match end - start {
        // The program makes no thread ids; the counter was left out.
        0 => true,
        8 => {
            let counter = core::ptr::with_exposed_provenance_mut::<u64>(start as usize);
            // SAFETY: the link script puts std's `ThreadId` counter, and nothing else, in these 8 bytes, aligned to 8;
            // std accesses it as an `AtomicU64`, too.
            let counter = unsafe { AtomicU64::from_ptr(counter) };
            // Relaxed: there is no other thread.
            counter.fetch_add(u64::from(me.0) << NODE_SHIFT, Ordering::Relaxed);
            true
        }
        _ => false,
    }
}
