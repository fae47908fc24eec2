//! Congestion, bounds of queues, and traffic in both directions at once.

use std::thread;

use dstd_addr::NodeId;

use super::Fabric;
use super::end::{End, Patience, ends, settle};
use crate::{CloseReason, Limits, Outbox, SendError, Transport};

/// A sender learns that its peer does not read, before any bound is hit, and that it reads again.
pub fn a_peer_that_does_not_read_becomes_congested_and_recovers<F: Fabric>(fabric: &F) {
    let mut limits = fabric.scale().limits();
    limits.queue_bytes_soft = 10_000;
    let len = 1000.min(limits.body_bytes_max as usize);
    let mut ends = ends(fabric, 2, limits);
    assert!(!ends[0].node.congested(NodeId(1)));
    while !ends[0].node.congested(NodeId(1)) {
        ends[0].send(NodeId(1), len).unwrap();
        ends[0].node.flush();
    }
    assert!(!ends[1].node.congested(NodeId(0)), "congestion in one direction is not that of the other");
    // Answers still go through, in both directions.
    ends[0].send(NodeId(1), len).unwrap();
    ends[1].send(NodeId(0), len).unwrap();
    settle(&mut ends);
    assert!(!ends[0].node.congested(NodeId(1)));
    assert_eq!(ends[0].node.flush(), 0);
}

/// Both send everything before either reads.
pub fn two_nodes_that_send_at_once_do_not_block_each_other<F: Fabric>(fabric: &F) {
    let scale = fabric.scale();
    let mut ends = ends(fabric, 2, scale.limits());
    let len = (256 << 10).min(scale.body_bytes_max as usize);
    for _ in 0..scale.bulk_bytes / len {
        ends[0].send(NodeId(1), len).unwrap();
        ends[1].send(NodeId(0), len).unwrap();
        for end in &mut ends {
            end.node.flush();
        }
    }
    settle(&mut ends);
}

/// Two threads, each with one node, send as long as they are not congested, and read.
pub fn two_threads_that_send_at_once_do_not_block_each_other<F: Fabric>(fabric: &F) {
    let scale = fabric.scale();
    let len = (200 << 10).min(scale.body_bytes_max as usize);
    let count = (scale.bulk_bytes / len) as u64;
    thread::scope(|scope| {
        for end in ends(fabric, 2, scale.limits()) {
            scope.spawn(move || exchange(end, count, len));
        }
    });
}

fn exchange<N: Transport>(mut end: End<N>, count: u64, len: usize) {
    let peer = NodeId(1 - end.me.0);
    let mut patience = Patience::new();
    let mut waiting = 0;
    // One small frame more says that everything has been read: the node may go.
    while end.got[peer.index()] < count + 1 || end.sent[peer.index()] < count + 1 || waiting > 0 {
        let sent = end.sent[peer.index()];
        if sent < count && !end.node.congested(peer) {
            end.send(peer, len).unwrap();
        } else if sent == count && end.got[peer.index()] >= count {
            end.send(peer, 0).unwrap();
        }
        let before = waiting;
        waiting = end.node.flush();
        patience.round(end.poll() + usize::from(waiting != before));
    }
}

/// A sender that ignores congestion loses the peer, with the reason, and no other peer.
pub fn a_queue_beyond_its_bound_loses_only_that_peer<F: Fabric>(fabric: &F) {
    let body_bytes_max = 2000;
    let limits = Limits { body_bytes_max, queue_bytes_soft: 10_000, queue_bytes_max: 50_000 };
    let mut ends = ends(fabric, 3, limits);
    let (silent, other) = (NodeId(1), NodeId(2));
    let refused = loop {
        if let Err(error) = ends[0].send(silent, 2000) {
            break error;
        }
        ends[0].node.flush();
    };
    assert_eq!(refused, SendError::Lost(silent));
    assert_eq!(ends[0].send(silent, 0), Err(SendError::Lost(silent)));
    assert!(!ends[0].node.peers().contains(silent) && ends[0].node.peers().contains(other));
    let mut patience = Patience::new();
    while ends[0].end_of(silent).is_none() {
        let events = ends[0].poll();
        patience.round(events);
    }
    let why = ends[0].end_of(silent).unwrap();
    assert!(matches!(why, CloseReason::Overflow { max: 50_000, .. }), "{why:?}");
    assert!(!why.is_clean());
    ends[0].send(other, 2000).unwrap();
    ends[2].send(NodeId(0), 2000).unwrap();
    ends.remove(1);
    settle(&mut ends);
}
