//! Broken streams, and sleeping on descriptors.

use std::io::{ErrorKind, IoSlice};

use dstd_addr::NodeId;

use super::closing::poll_until_closed;
use super::end::{End, Patience, ends, fill, header_of, settle};
use super::{Fabric, StreamFabric};
use crate::frame::{HEADER_BYTES, padding};
use crate::mesh::Wire;
use crate::{CloseReason, Limits, Outbox, SendError, Transport, set_body_bytes, sys};

const ZERO: NodeId = NodeId(0);
const PEER: NodeId = NodeId(1);

/// A stream that ends between two frames is clean, anywhere else it is not.
pub fn a_stream_that_ends_inside_a_frame_is_not_clean<F: StreamFabric>(fabric: &F) {
    let frame = [frame(0, 0), frame(1, 20)].concat();
    for cut in 0..=frame.len() {
        let (mut end, mut raw) = raw(fabric);
        write(&mut raw, &frame[..cut], &mut end);
        drop(raw);
        poll_until_closed(&mut end, PEER);
        let why = end.end_of(PEER).unwrap();
        let whole = [0, HEADER_BYTES, frame.len()];
        assert_eq!(why.is_clean(), whole.contains(&cut), "cut after {cut}: {why}");
        assert!(why.is_clean() || matches!(why, CloseReason::MidFrame), "cut after {cut}: {why}");
        assert_eq!(end.got[1], whole[1..].iter().filter(|&&end| end <= cut).count() as u64);
    }
}

/// A declared length beyond the limit ends the conversation, not the node.
pub fn a_body_beyond_the_limit_closes_the_peer<F: StreamFabric>(fabric: &F) {
    let max = fabric.scale().body_bytes_max;
    for declared in [max + 1, u32::MAX] {
        let (mut end, mut raw) = raw(fabric);
        let mut header = header_of(PEER, ZERO, 0, 0);
        set_body_bytes(&mut header, declared);
        write(&mut raw, &header, &mut end);
        poll_until_closed(&mut end, PEER);
        let why = end.end_of(PEER).unwrap();
        let CloseReason::Malformed { declared: said, max: permitted } = *why else { panic!("{why}") };
        assert_eq!((said, permitted), (declared, max));
        assert_eq!(end.send(PEER, 0), Err(SendError::Lost(PEER)));
        assert_eq!(end.poll(), 0);
    }
}

/// A mistake does not take back what came before it.
pub fn frames_before_a_malformed_one_arrive<F: StreamFabric>(fabric: &F) {
    let (mut end, mut raw) = raw(fabric);
    let bytes = [frame(0, 5), frame(1, 100), vec![0xff; HEADER_BYTES]].concat();
    write(&mut raw, &bytes, &mut end);
    poll_until_closed(&mut end, PEER);
    assert_eq!(end.got[1], 2);
    assert!(matches!(end.end_of(PEER), Some(CloseReason::Malformed { declared: u32::MAX, .. })));
}

/// A sleeper wakes up when a frame comes, and not before.
pub fn a_frame_wakes_a_sleeper<F: Fabric>(fabric: &F) {
    let mut ends = ends(fabric, 3, Limits::default());
    let (mut fds, events) = descriptors(&ends[0].node);
    assert_eq!(fds.len(), 2);
    assert_eq!(events, [libc::POLLIN; 2]);
    assert_eq!(sys::ppoll(&mut fds, Some(std::time::Duration::ZERO)).unwrap(), 0);
    ends[2].send(ZERO, 1).unwrap();
    ends[2].node.flush();
    assert_eq!(sys::ppoll(&mut fds, None).unwrap(), 1);
    settle(&mut ends);
}

/// While bytes are queued, a sleeper wakes up when there is room for them.
pub fn room_for_queued_bytes_wakes_a_sleeper<F: Fabric>(fabric: &F) {
    let mut ends = ends(fabric, 2, Limits::default());
    ends[0].send(PEER, 0).unwrap();
    let (mut fds, events) = descriptors(&ends[0].node);
    assert_eq!(events, [libc::POLLIN | libc::POLLOUT]);
    assert_eq!(sys::ppoll(&mut fds, None).unwrap(), 1);
    assert_eq!(fds[0].revents, libc::POLLOUT);
    ends[0].node.flush();
    assert_eq!(descriptors(&ends[0].node).1, [libc::POLLIN]);
    settle(&mut ends);
}

/// The end of a peer is something to wake up for.
pub fn a_peer_that_leaves_wakes_a_sleeper<F: Fabric>(fabric: &F) {
    let mut ends = ends(fabric, 2, Limits::default());
    drop(ends.remove(1));
    let (mut fds, _) = descriptors(&ends[0].node);
    assert_eq!(sys::ppoll(&mut fds, None).unwrap(), 1);
    poll_until_closed(&mut ends[0], PEER);
}

fn descriptors<N: Transport>(node: &N) -> (Vec<libc::pollfd>, Vec<libc::c_short>) {
    let mut fds = Vec::new();
    node.fds(&mut fds);
    let events = fds.iter().map(|fd| fd.events).collect();
    (fds, events)
}

fn raw<F: StreamFabric>(fabric: &F) -> (End<F::Node>, F::Raw) {
    let (node, raw) = fabric.raw(fabric.scale().limits());
    (End::new(node, ZERO, 2), raw)
}

/// A frame of the peer to node 0.
fn frame(number: u64, len: usize) -> Vec<u8> {
    let header = header_of(PEER, ZERO, number, len);
    let mut body = Vec::new();
    fill(&header, &mut body, len);
    [&header, body.as_slice(), padding(len)].concat()
}

/// Writes all bytes while node 0 reads.
fn write<N: Transport>(raw: &mut impl Wire, mut bytes: &[u8], end: &mut End<N>) {
    let mut patience = Patience::new();
    while !bytes.is_empty() {
        let count = match raw.write(&[IoSlice::new(bytes)]) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("node 0 hung up: {error}"),
        };
        bytes = &bytes[count..];
        let events = end.poll();
        patience.round(count + events);
    }
}
