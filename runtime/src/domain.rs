//! The coherence domain: nodes of one host that map each other's memory.
//!
//! Every heap, every stack, the striped range and the statics lie on files without names; each node maps all of
//! them at their addresses. Hardware keeps them coherent, so no page fault is ever served, and
//! a futex is one for all, keyed by its file. Messages remain for what ships: closures, frees.
//!
//! *Invariants*: ADDR-1, HEAP-1. *Why not safe code*: the ranges are mapped anew.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::IntoRawFd;

use dstd_addr::NodeId;
use dstd_control::rendezvous::{Files, Peer};

use crate::{alloc, locals, statics};

/// Puts this node's memory on files that its peers can map.
///
/// # Errors
/// What the kernel says.
///
/// # Safety
/// - No other thread exists, no user thread's stack is in use, no reference to a shared static lives.
pub(crate) unsafe fn offer(me: NodeId, shared: &[Range<u64>; 2]) -> io::Result<Files> {
    let reservation = alloc::reservation();
    let heap = reservation.memfd().ok_or_else(|| io::Error::other("the heap lies on no file"))?;
    // SAFETY: the caller's promise.
    let stacks = unsafe { reservation.share_stacks() }.map_err(io::Error::other)?;
    locals::offer(me, stacks)?;
    let holds_statics = me == NodeId::ZERO && shared.iter().any(|range| !range.is_empty());
    let statics = if holds_statics {
        // SAFETY: the caller's promise.
        Some(unsafe { statics::share(shared) }?)
    } else {
        None
    };
    let striped = if me == NodeId::ZERO {
        // SAFETY: the caller's promise.
        Some(unsafe { reservation.share_striped() }.map_err(io::Error::other)?)
    } else {
        None
    };
    Ok(Files { heap, stacks, statics, striped })
}

/// Maps the memory of all other nodes.
///
/// # Errors
/// What the kernel says, with the node.
///
/// # Safety
/// - As [`offer`]; and nothing of the other nodes' ranges has been used.
pub(crate) unsafe fn map_peers(me: NodeId, peers: &[Peer], shared: &[Range<u64>; 2]) -> io::Result<()> {
    for (rank, peer) in peers.iter().enumerate() {
        let node = NodeId(rank as u16);
        if node == me {
            continue;
        }
        // SAFETY: the caller's promise.
        unsafe { map_peer(node, peer, shared) }
            .map_err(|error| io::Error::new(error.kind(), format!("the memory of node {node}: {error}")))?;
    }
    Ok(())
}

/// # Safety
/// - As [`map_peers`].
unsafe fn map_peer(node: NodeId, peer: &Peer, shared: &[Range<u64>; 2]) -> io::Result<()> {
    let files = peer.memory.ok_or_else(|| io::Error::other("it is not offered"))?;
    let (heap, stacks) = (open(peer.pid, files.heap)?, open(peer.pid, files.stacks)?);
    // SAFETY: the caller's promise; the handshake has compared the sizes of the heaps, and stacks
    // have one size.
    unsafe { alloc::reservation().map_peer(node, heap, stacks) }.map_err(io::Error::other)?;
    locals::map_peer(node, stacks)?;
    if let Some(file) = files.statics {
        let file = open(peer.pid, file)?;
        // SAFETY: the caller's promise.
        unsafe { statics::map(shared, file) }?;
    }
    if let Some(file) = files.striped {
        let file = open(peer.pid, file)?;
        // SAFETY: the caller's promise; the range has one size on all nodes, as their heaps have.
        unsafe { alloc::reservation().map_striped(file) }.map_err(io::Error::other)?;
    }
    Ok(())
}

/// Another node's file under a descriptor of our own, which stays open: a child of `fork` maps it again.
fn open(pid: u32, fd: i32) -> io::Result<i32> {
    Ok(File::options().read(true).write(true).open(format!("/proc/{pid}/fd/{fd}"))?.into_raw_fd())
}
