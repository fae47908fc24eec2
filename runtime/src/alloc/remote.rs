//! Frees that cross nodes.
//!
//! A block of another node is freed by sending its address home, 126 at a time. The freeing thread
//! hands a full batch to the sink; what the engine receives goes to [`accept_remote`].

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::OnceLock;

use dstd_addr::NodeId;
use dstd_heap::{RemoteBatch, RemoteFreeError, ThreadCache};

use super::boot::PARTITION;
use super::flag;
use super::route::{Which, cached, with_cache};

/// Sends addresses (1 to 126) to their home. Called on the freeing thread, as runtime code. It
/// must not block on the network and must not keep the slice.
pub(crate) type RemoteSink = fn(home: NodeId, addrs: &[u64]);

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
    PARTITION.accept_remote(addrs)
}

/// Sends this thread's collected remote frees now.
///
/// # Network
/// At most one message to each other node; does not wait.
pub(super) fn flush_remote() {
    if cached(Which::User).is_none() {
        return;
    }
    while let Some(batch) = with_cache(Which::User, ThreadCache::take_remote).flatten() {
        send(batch);
    }
}

/// Notes that the block at `addr` is to be freed at `home`.
pub(super) fn free(home: NodeId, addr: u64) {
    match with_cache(Which::User, |cache| cache.free_remote(home, addr)) {
        Some(Some(batch)) => send(batch),
        Some(None) => (),
        None => PARTITION.count_leaked(1),
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
