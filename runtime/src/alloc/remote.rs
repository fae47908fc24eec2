//! Frees that cross nodes.
//!
//! A block of another node is freed by sending its address home, at most 126 at a time. The freeing thread
//! hands a batch to the sink when it is full, and earlier when much memory waits in it: a thread holds back less
//! than [`PENDING_MAX_BYTES`], and no longer than the keeper lets it. What the engine receives goes to [`accept_remote`].

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::OnceLock;

use dstd_addr::NodeId;
use dstd_heap::{RemoteBatch, RemoteFreeError, ThreadCache};

use super::boot::PARTITION;
use super::flag;
use super::route::{Which, own_cache, with_cache};
use crate::keeper;

/// Sends addresses (1 to 126) to their home. Called on the freeing thread, as runtime code. It
/// must not block on the network and must not keep the slice.
pub(crate) type RemoteSink = fn(home: NodeId, addrs: &[u64]);

/// A block of this size is sent at once, with what waits: its message costs little beside the faults that read it.
const LARGE_BYTES: usize = 32 << 10;
/// When blocks of so many bytes wait, they are sent: 126 of the larger small blocks would be megabytes.
const PENDING_MAX_BYTES: usize = 256 << 10;

thread_local! {
    /// The bytes that wait in this thread's batches, or more: a batch that leaves because it is full, or by the keeper, is not subtracted.
    static PENDING: Cell<usize> = const { Cell::new(0) };
}

static SINK: OnceLock<RemoteSink> = OnceLock::new();
/// Set in a child of `fork`, which has no engine: other nodes' blocks are its parent's to free.
static MUTE: AtomicBool = AtomicBool::new(false);

/// Says where batches of remote frees go. The first call counts.
pub(crate) fn set_remote_sink(sink: RemoteSink) {
    SINK.get_or_init(|| sink);
}

/// Accepts blocks of this node that another node has freed. Lock-free and touches no block, so the
/// engine may call it.
///
/// # Errors
/// The first address that was refused (HEAP-4); the good ones are accepted all the same.
pub(crate) fn accept_remote(addrs: &[u64]) -> Result<(), RemoteFreeError> {
    let result = PARTITION.accept_remote(addrs);
    keeper::note(keeper::FREED);
    result
}

/// Sends this thread's collected remote frees now.
///
/// # Network
/// At most one message to each other node; does not wait.
pub(super) fn flush_remote() {
    PENDING.set(0);
    if own_cache(Which::User).is_none() {
        return;
    }
    while let Some(batch) = with_cache(Which::User, ThreadCache::take_remote).flatten() {
        send(batch);
    }
}

/// Notes that the block of `size` bytes at `addr` is to be freed at `home`.
///
/// # Network
/// Sends the waiting batches when this one makes them large.
pub(super) fn free_sized(home: NodeId, addr: u64, size: usize) {
    match with_cache(Which::User, |cache| cache.free_remote(home, addr)) {
        Some(Some(batch)) => send(batch),
        Some(None) => (),
        None => return PARTITION.count_leaked(1),
    }
    let pending = PENDING.get().saturating_add(size);
    PENDING.set(pending);
    if size >= LARGE_BYTES || pending >= PENDING_MAX_BYTES {
        flush_remote();
    } else {
        keeper::note(keeper::REMOTE);
    }
}

/// Hands a batch to the sink. No cache may be borrowed: the sink allocates.
pub(super) fn send(batch: RemoteBatch) {
    match SINK.get() {
        Some(sink) if !MUTE.load(Ordering::Relaxed) => {
            let _runtime = flag::enter();
            let errno = std::io::Error::last_os_error();
            sink(batch.home(), batch.addrs());
            restore(&errno);
        }
        _ => PARTITION.count_leaked(batch.addrs().len()),
    }
    PARTITION.recycle(batch);
}

/// Stops sending for good: this process is a child of `fork`.
pub(super) fn mute() {
    MUTE.store(true, Ordering::Relaxed);
}

/// C's `free` leaves errno alone, so a sink that makes system calls must not show through.
fn restore(errno: &std::io::Error) {
    if let Some(code) = errno.raw_os_error() {
        super::end::set_errno(code);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;

    use super::*;

    /// What the sink got: the home and the number of addresses of each batch.
    static SENT: Mutex<Vec<(u16, usize)>> = Mutex::new(Vec::new());

    fn sent() -> Vec<(u16, usize)> {
        core::mem::take(&mut SENT.lock().expect("no panic"))
    }

    /// Frees blocks of these sizes at these homes; no cache looks at the address of a foreign block.
    fn free_all(blocks: impl IntoIterator<Item = (u16, usize)>) {
        for (at, (home, size)) in blocks.into_iter().enumerate() {
            free_sized(NodeId(home), (at as u64 + 1) << 20, size);
        }
    }

    #[test]
    fn batches_leave_when_they_are_full_or_much_memory_waits() {
        set_remote_sink(|home, addrs| SENT.lock().expect("no panic").push((home.0, addrs.len())));
        // A thread of its own has empty batches, and sends what is left when it ends.
        let freeing = thread::spawn(|| {
            free_all(vec![(1, 16); 126]);
            assert_eq!(sent(), [(1, 126)], "a full batch");

            free_all([(1, 100), (2, 100), (1, LARGE_BYTES - 1)]);
            assert_eq!(sent(), []);
            free_all([(1, LARGE_BYTES)]);
            assert_eq!(sent(), [(1, 3), (2, 1)], "a large block takes the waiting ones along");

            free_all(vec![(1, 16 << 20); 3]);
            assert_eq!(sent(), [(1, 1); 3], "large blocks do not wait");

            free_all((0..31).map(|at| (1 + at % 3, 8 << 10)));
            assert_eq!(sent(), [], "8 KiB are missing");
            free_all([(3, 8 << 10)]);
            assert_eq!(sent(), [(1, 11), (2, 10), (3, 11)], "256 KiB wait");

            // Counted from zero again.
            free_all(vec![(1, 8 << 10); 31]);
            assert_eq!(sent(), []);
        });
        freeing.join().expect("no panic");
        assert_eq!(sent(), [(1, 31)], "what was left");
    }
}
