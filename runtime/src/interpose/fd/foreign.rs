//! Which descriptors are another node's, and what is said about them.

use core::ops::Range;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use dstd_addr::NodeId;
use libc::c_int;

use super::Stride;
use crate::fatal::Line;
use crate::raw;

// All are written once, before threads exist or in a forked child, which has one: hence Relaxed.
// Before, every descriptor counts as own.
static OWN_START: AtomicU32 = AtomicU32::new(0);
static OWN_COUNT: AtomicU32 = AtomicU32::new(u32::MAX);
static ALL_END: AtomicU32 = AtomicU32::new(0);

/// So many of 0 and 1 are node 0's.
static STREAMS_AWAY: AtomicU32 = AtomicU32::new(0);

/// Where refusals are written to.
static REPORTS: AtomicI32 = AtomicI32::new(2);
/// The refusals that were reported, by a hash of descriptor and call.
static REPORTED: [AtomicU32; 256] = [const { AtomicU32::new(0) }; 256];

/// From now on, descriptors of other nodes are refused.
pub(super) fn set_own(me: NodeId, nodes: u16, stride: Stride) {
    ALL_END.store(u32::from(nodes) * stride.count(), Ordering::Relaxed);
    OWN_COUNT.store(stride.count(), Ordering::Relaxed);
    OWN_START.store(u32::from(me.0) * stride.count(), Ordering::Relaxed);
}

/// From now on, every descriptor counts as own: in a forked child, which is no node.
pub(super) extern "C" fn forget() {
    ALL_END.store(0, Ordering::Relaxed);
    OWN_START.store(0, Ordering::Relaxed);
    OWN_COUNT.store(u32::MAX, Ordering::Relaxed);
    STREAMS_AWAY.store(0, Ordering::Relaxed);
}

/// Boot: from now on 0 is node 0's, and 1 unless that is `own_stdout`, on a host that has not the terminal or the
/// files of the launcher. Nothing changes on node 0.
pub(crate) fn streams_at_node_0(own_stdout: bool) {
    STREAMS_AWAY.store(if own_stdout { 1 } else { 2 }, Ordering::Relaxed);
}

/// Sends the reports of refusals to the descriptor `to`.
#[cfg(test)]
pub(super) fn report_to(to: c_int) {
    REPORTS.store(to, Ordering::Relaxed);
}

/// Whether `fd` is another node's, so that `call` fails with `EBADF`; if so, says so.
#[inline]
pub(in crate::interpose) fn refused(fd: c_int, call: &str) -> bool {
    let foreign = is_foreign(fd);
    if foreign {
        report(fd as u32, "EBADF", call);
    }
    foreign
}

/// Says that `call` fails with `EBADF` because `fd` is another node's.
pub(super) fn report_refused(fd: c_int, call: &str) {
    if is_foreign(fd) {
        report(fd as u32, "EBADF", call);
    }
}

/// The node that `fd` belongs to, when that is another one.
pub(super) fn owner(fd: c_int) -> Option<NodeId> {
    is_foreign(fd).then(|| NodeId((fd as u32 / OWN_COUNT.load(Ordering::Relaxed)) as u16))
}

/// Whether other nodes have descriptors of their own.
#[inline]
pub(super) fn is_apart() -> bool {
    OWN_COUNT.load(Ordering::Relaxed) != u32::MAX
}

/// How many descriptors each node has: all must agree on it.
pub(crate) fn count_each() -> u32 {
    OWN_COUNT.load(Ordering::Relaxed)
}

/// This node's range, apart from the common 0, 1 and 2; `None` when all numbers are own.
pub(super) fn own() -> Option<Range<u32>> {
    let (start, count) = (OWN_START.load(Ordering::Relaxed), OWN_COUNT.load(Ordering::Relaxed));
    is_apart().then(|| start.max(3)..start.saturating_add(count))
}

/// Whether `fd` is in this node's range. In a process that is no node, every number but -1 is.
#[inline]
pub(super) fn is_own(fd: c_int) -> bool {
    (fd as u32).wrapping_sub(OWN_START.load(Ordering::Relaxed)) < OWN_COUNT.load(Ordering::Relaxed)
}

/// Whether `fd` is another node's.
#[inline]
pub(super) fn is_foreign(fd: c_int) -> bool {
    !is_own(fd) && is_foreign_slow(fd)
}

#[cold]
#[inline(never)]
fn is_foreign_slow(fd: c_int) -> bool {
    // The standard streams are common. What is no descriptor of any node is the kernel's to refuse.
    u32::try_from(fd).is_ok_and(|fd| {
        fd < ALL_END.load(Ordering::Relaxed) && (fd > 2 || fd < STREAMS_AWAY.load(Ordering::Relaxed))
    })
}

/// One line about each descriptor and call, unless two that share a slot take turns.
#[cold]
#[inline(never)]
fn report(fd: u32, outcome: &str, call: &str) {
    let hash = call.bytes().fold(fd, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let slot = &REPORTED[hash as usize % REPORTED.len()];
    // Relaxed: a word of its own. The lowest bit tells a used slot from one that was never used.
    if slot.swap(hash | 1, Ordering::Relaxed) == hash | 1 {
        return;
    }
    let stride = OWN_COUNT.load(Ordering::Relaxed);
    let (owner, me) = (fd / stride, OWN_START.load(Ordering::Relaxed) / stride);
    let line = Line::new(format_args!(
        "dstd: descriptor {fd} belongs to node {owner}, this is node {me}: {outcome} ({call})\n"
    ));
    let bytes = line.bytes();
    let to = REPORTS.load(Ordering::Relaxed) as usize;
    // SAFETY: the slice is valid for its length. That nobody could be told is no reason to fail.
    unsafe { raw::syscall(libc::SYS_write, [to, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0]) };
}
