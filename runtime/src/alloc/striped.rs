//! Large blocks that the own heap cannot hold: they get their home at all nodes, in stripes.
//!
//! *Invariants*: HEAP-3, ISO-2: a thread that waits for node 0's answer holds no lock, and no cache is
//! borrowed. HEAP-2: each home promises and takes back its own stripes.
//!
//! *Layout*: a block is a whole number of chunks in the striped range; how many follows from its size.
//!
//! *Who may touch what, when*: a block belongs to whoever has allocated it, as in a heap.
//!
//! *Why not safe code*: it makes memory out of addresses.

use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use dstd_addr::{GlobalAddr, NodeId, STRIPED_CHUNK_BYTES};

use super::boot::{self, PARTITION};
use super::traces;
use crate::context;
use crate::keeper::{self, Asker, What, Words};
use crate::node::{Request, Shipped};
use crate::ship::{Op, Task, fresh_id};
use crate::stack::on_native;

/// Smaller blocks must fit in the own heap.
pub(super) const BYTES_MIN: usize = 1 << 20;
/// What stripes leave to the heap of their node: this part of it.
const HEAP_PART: u64 = 16;

/// Bytes of this node's stripes in use.
static STRIPED: AtomicU64 = AtomicU64::new(0);
/// The most there ever were.
static PEAK: AtomicU64 = AtomicU64::new(0);

/// `size` zeroed bytes at `align`, or null.
///
/// # Network
/// 2 round trips: node 0, which asks the homes of the stripes.
pub(super) fn alloc(size: usize, align: usize) -> *mut u8 {
    if size < BYTES_MIN || align as u64 > STRIPED_CHUNK_BYTES {
        return ptr::null_mut();
    }
    let addr = ask(What::Take, 0, chunks(size));
    boot::reservation().resolve(GlobalAddr(addr)).map_or(ptr::null_mut(), ptr::NonNull::as_ptr)
}

/// Frees a block of the striped range.
///
/// # Network
/// 1 message; does not wait.
pub(super) fn free(addr: u64) {
    let Some(context) = context::cluster() else { return };
    traces::note_size(addr, None);
    on_native(|| context.queue.push(request(Words(What::Free, addr, 0), None)));
}

/// Makes a block longer or shorter where it lies; whether it did.
///
/// # Network
/// 0 when the number of chunks stays, else as [`alloc`].
pub(super) fn resize(addr: u64, size: usize, new_size: usize) -> bool {
    if new_size < BYTES_MIN {
        return false;
    }
    let resized = chunks(size) == chunks(new_size) || ask(What::Resize, addr, chunks(new_size)) == 1;
    if resized {
        traces::note_size(addr, Some(new_size));
    }
    resized
}

/// Has all memory that threads of any node have freed come back to its home; false where there are no other nodes.
///
/// # Network
/// Of `n` nodes: `4(n - 1)` messages between node 0 and the others, `2n(n - 1)` between all, and what was freed and not sent
/// yet; 2 more from another node than 0. 4 round trips.
pub(super) fn collect() -> bool {
    ask(What::Collect, 0, 0) == 1
}

fn chunks(size: usize) -> u64 {
    (size as u64).div_ceil(STRIPED_CHUNK_BYTES)
}

/// Asks node 0's keeper; 0 means no, also where there are no other nodes.
fn ask(what: What, addr: u64, chunks: u64) -> u64 {
    let Some(context) = context::cluster() else { return 0 };
    on_native(|| {
        let shipped = Arc::new(Shipped::without_result());
        context.queue.push(request(Words(what, addr, chunks), Some(Arc::clone(&shipped))));
        keeper::wait(&shipped)
    })
}

/// The request that brings `words` to node 0's keeper, and its answer to `shipped`.
fn request(words: Words, shipped: Option<Arc<Shipped>>) -> Request {
    if context::me() == NodeId::ZERO {
        let asker = Asker::Here(shipped.unwrap_or_else(|| Arc::new(Shipped::without_result())));
        return Request::Local { task: Task::Stripes { asker, words }, expect: None };
    }
    let id = fresh_id();
    let expect = shipped.map(|shipped| (id, shipped));
    Request::Ship { to: NodeId::ZERO, op: Op::AskStripes, id, arg: 0, body: words.encode(), expect }
}

/// Promises `bytes` of this node's heap to stripes, if it has them. Lock-free: the engine may ask.
pub(crate) fn reserve_striped(bytes: u64) -> bool {
    let promised = PARTITION.reserve(bytes, boot::reservation().heap_bytes() / HEAP_PART);
    if promised {
        let now = STRIPED.fetch_add(bytes, Ordering::Relaxed) + bytes;
        PEAK.fetch_max(now, Ordering::Relaxed);
    }
    promised
}

/// Ends that promise.
pub(crate) fn release_striped(bytes: u64) {
    STRIPED.fetch_sub(bytes, Ordering::Relaxed);
    PARTITION.unreserve(bytes);
}

/// The most bytes that this node's stripes ever had in use.
pub(super) fn striped_peak_bytes() -> u64 {
    PEAK.load(Ordering::Relaxed)
}
