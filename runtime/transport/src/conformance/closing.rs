//! Peers that leave.

use dstd_addr::NodeId;

use super::Fabric;
use super::end::{End, Patience, ends, settle};
use crate::{Limits, Outbox, SendError, Transport};

const ZERO: NodeId = NodeId(0);

/// Frames first, then one clean end, then nothing; the others go on.
pub fn a_peer_that_leaves_is_reported_once_after_its_frames<F: Fabric>(fabric: &F) {
    let mut ends = ends(fabric, 3, Limits::default());
    let gone = NodeId(2);
    for len in 0..100 {
        ends[2].send(ZERO, len).unwrap();
    }
    let mut patience = Patience::new();
    // It leaves when its bytes are on the way, whether or not they were read.
    while ends[2].node.flush() > 0 {
        let events = ends[0].poll();
        patience.round(events);
    }
    drop(ends.remove(2));
    poll_until_closed(&mut ends[0], gone);
    poll_until_closed(&mut ends[1], gone);
    assert_eq!(ends[0].got[2], 100);
    for end in &mut ends {
        let why = end.end_of(gone).unwrap();
        assert!(why.is_clean(), "{why}");
        assert_eq!(end.send(gone, 0), Err(SendError::Lost(gone)));
        assert!(!end.node.congested(gone));
        assert!(!end.node.peers().contains(gone));
        assert_eq!(end.node.peers().len(), 1);
        assert_eq!(end.poll(), 0);
        assert_eq!(end.node.flush(), 0);
    }
    ends[0].send(NodeId(1), 5000).unwrap();
    ends[1].send(ZERO, 5000).unwrap();
    settle(&mut ends);
}

/// Sending to a peer that has gone fails at some point, is reported once, and harms nobody.
pub fn a_peer_that_leaves_without_reading_is_lost<F: Fabric>(fabric: &F) {
    let mut ends = ends(fabric, 2, Limits::default());
    let gone = NodeId(1);
    for _ in 0..100 {
        ends[0].send(gone, 2000).unwrap();
        ends[0].node.flush();
    }
    drop(ends.remove(1));
    let mut patience = Patience::new();
    while ends[0].send(gone, 2000).is_ok() {
        ends[0].node.flush();
        let events = ends[0].poll();
        patience.round(events);
    }
    poll_until_closed(&mut ends[0], gone);
    assert_eq!(ends[0].send(gone, 0), Err(SendError::Lost(gone)));
    assert!(ends[0].node.peers().is_empty());
    assert_eq!(ends[0].poll(), 0);
    let mut fds = Vec::new();
    ends[0].node.fds(&mut fds);
    assert!(fds.is_empty(), "a closed peer cannot be slept on");
}

/// What a peer said before it left is heard, even if a write to it fails first.
pub fn frames_sent_before_a_loss_still_arrive<F: Fabric>(fabric: &F) {
    let mut ends = ends(fabric, 2, Limits::default());
    let gone = NodeId(1);
    ends[1].send(ZERO, 3).unwrap();
    ends[1].send(ZERO, 0).unwrap();
    let mut patience = Patience::new();
    // A pipe that is smaller than the frames has to be read meanwhile.
    while ends[1].node.flush() > 0 {
        let events = ends[0].poll();
        patience.round(events);
    }
    drop(ends.remove(1));
    let mut patience = Patience::new();
    while ends[0].send(gone, 2000).is_ok() && ends[0].node.peers().contains(gone) {
        ends[0].node.flush();
        patience.round(0);
    }
    poll_until_closed(&mut ends[0], gone);
    assert_eq!(ends[0].got[1], 2);
}

/// There is nobody to send to at a rank beyond the last.
pub fn nobody_is_there_at_unknown_ranks<F: Fabric>(fabric: &F) {
    let mut ends = ends(fabric, 2, Limits::default());
    let nobody = NodeId(5);
    let header = super::end::header_of(ZERO, nobody, 0, 0);
    assert_eq!(ends[0].node.send(nobody, &header, &[]), Err(SendError::Lost(nobody)));
    assert!(!ends[0].node.congested(nobody));
    assert!(ends[0].node.peers().iter().eq([NodeId(1)]));
}

pub(super) fn poll_until_closed<N: Transport>(end: &mut End<N>, peer: NodeId) {
    let mut patience = Patience::new();
    while end.end_of(peer).is_none() {
        end.node.flush();
        let events = end.poll();
        patience.round(events);
    }
}
