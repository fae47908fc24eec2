//! One node under test, and a ledger of what it sent and got.

use std::io::IoSlice;
use std::thread;

use dstd_addr::NodeId;

use super::Fabric;
use crate::frame::{FRAME_ALIGN, HEADER_BYTES};
use crate::stub::split_mix;
use crate::{CloseReason, Event, Header, Limits, Outbox, SendError, Transport, body_bytes, set_body_bytes};

/// Rounds without any event after which a test stops waiting. The rounds yield, so this is long
/// even on a machine that is busy with something else.
const IDLE_ROUNDS_MAX: u32 = 10_000_000;

/// A node and its ledger. The n-th frame to a peer says so, and its body follows from its header.
pub(super) struct End<N> {
    pub(super) node: N,
    pub(super) me: NodeId,
    /// Frames taken for each peer.
    pub(super) sent: Vec<u64>,
    /// Frames that came from each peer.
    pub(super) got: Vec<u64>,
    /// Peers that were closed.
    pub(super) closed: Vec<(NodeId, CloseReason)>,
    body: Vec<u8>,
}

impl<N: Transport> End<N> {
    pub(super) fn new(node: N, me: NodeId, nodes: usize) -> End<N> {
        End { node, me, sent: vec![0; nodes], got: vec![0; nodes], closed: Vec::new(), body: Vec::new() }
    }

    /// Sends the next frame to `to`, in one slice.
    pub(super) fn send(&mut self, to: NodeId, len: usize) -> Result<(), SendError> {
        self.send_cut(to, len, &[])
    }

    /// Sends the next frame to `to`, the body cut at the given places.
    pub(super) fn send_cut(&mut self, to: NodeId, len: usize, cuts: &[usize]) -> Result<(), SendError> {
        let header = header_of(self.me, to, self.sent[to.index()], len);
        fill(&header, &mut self.body, len);
        let mut slices = Vec::new();
        let mut start = 0;
        for &cut in cuts.iter().chain([&len]) {
            slices.push(IoSlice::new(&self.body[start..cut]));
            start = cut;
        }
        self.node.send(to, &header, &slices)?;
        // XPORT-3: the transport must not look at these bytes any more.
        self.body.fill(0xee);
        self.sent[to.index()] += 1;
        Ok(())
    }

    /// Polls once, checks and counts what came.
    pub(super) fn poll(&mut self) -> usize {
        self.poll_with(|_, _, _| {})
    }

    /// Polls once, checks and counts what came, and passes the frames on.
    pub(super) fn poll_with(&mut self, mut frame: impl FnMut(&mut dyn Outbox, NodeId, &Header)) -> usize {
        let End { node, me, got, closed, body: expected, .. } = self;
        let mut seen = 0;
        let events = node.poll(&mut |out, event| {
            seen += 1;
            match event {
                Event::Frame { from, header, body } => {
                    let gone = closed.iter().any(|&(peer, _)| peer == from);
                    assert!(!gone, "a frame of node {from} came after its end");
                    let number = got[from.index()];
                    assert_eq!(*header, header_of(from, *me, number, body.len()), "XPORT-1: frame {number}");
                    assert_eq!(body.as_ptr().addr() % FRAME_ALIGN, 0, "a body of {} bytes", body.len());
                    fill(header, expected, body.len());
                    assert!(body == expected.as_slice(), "XPORT-2: a body of {} bytes", body.len());
                    got[from.index()] += 1;
                    frame(out, from, header);
                }
                Event::Closed { peer, why } => {
                    let twice = closed.iter().any(|&(gone, _)| gone == peer);
                    assert!(!twice, "node {peer} was closed twice");
                    closed.push((peer, why));
                }
            }
        });
        assert_eq!(events, seen, "a poll returns the number of its events");
        events
    }

    /// How the connection to `peer` ended, if it did.
    pub(super) fn end_of(&self, peer: NodeId) -> Option<&CloseReason> {
        self.closed.iter().find(|(gone, _)| *gone == peer).map(|(_, why)| why)
    }
}

/// The nodes of a fabric with their ledgers.
pub(super) fn ends<F: Fabric>(fabric: &F, nodes: u16, limits: Limits) -> Vec<End<F::Node>> {
    let made = fabric.mesh(nodes, limits);
    assert_eq!(made.len(), usize::from(nodes));
    made.into_iter().zip(0..).map(|(node, rank)| End::new(node, NodeId(rank), usize::from(nodes))).collect()
}

/// Flushes and polls all nodes in turn until `done`.
pub(super) fn run_until<N: Transport>(ends: &mut [End<N>], mut done: impl FnMut(&[End<N>]) -> bool) {
    let mut patience = Patience::new();
    while !done(ends) {
        let mut events = 0;
        for end in ends.iter_mut() {
            let before = end.node.flush();
            events += end.poll() + usize::from(end.node.flush() < before);
        }
        patience.round(events);
    }
}

/// Flushes and polls all nodes until every frame has arrived.
pub(super) fn settle<N: Transport>(ends: &mut [End<N>]) {
    run_until(ends, all_arrived);
}

/// Whether every frame that one of `ends` took for another has arrived there.
pub(super) fn all_arrived<N>(ends: &[End<N>]) -> bool {
    ends.iter().all(|to| ends.iter().all(|from| to.got[from.me.index()] == from.sent[to.me.index()]))
}

/// Gives up after many rounds without progress.
pub(super) struct Patience {
    idle: u32,
}

impl Patience {
    pub(super) fn new() -> Patience {
        Patience { idle: 0 }
    }

    /// A round made this much progress.
    pub(super) fn round(&mut self, progress: usize) {
        if progress > 0 {
            self.idle = 0;
            return;
        }
        self.idle += 1;
        assert!(self.idle < IDLE_ROUNDS_MAX, "nothing happened in {IDLE_ROUNDS_MAX} rounds");
        thread::yield_now();
    }
}

/// The header of a frame: all of its bytes mean something.
pub(super) fn header_of(from: NodeId, to: NodeId, number: u64, len: usize) -> Header {
    let mut header = [0; HEADER_BYTES];
    header[..2].copy_from_slice(&from.0.to_le_bytes());
    header[2..4].copy_from_slice(&to.0.to_le_bytes());
    set_body_bytes(&mut header, u32::try_from(len).expect("a body is shorter than 4 GiB"));
    header[8..16].copy_from_slice(&number.to_le_bytes());
    let mut state = number ^ u64::from(from.0) << 48 ^ u64::from(to.0) << 32;
    for word in header[16..].chunks_exact_mut(8) {
        word.copy_from_slice(&split_mix(&mut state).to_le_bytes());
    }
    header
}

/// The body that belongs to a header.
pub(super) fn fill(header: &Header, body: &mut Vec<u8>, len: usize) {
    assert_eq!(body_bytes(header) as usize, len);
    let mut word = [0; 8];
    word.copy_from_slice(&header[24..]);
    let mut state = u64::from_le_bytes(word);
    body.clear();
    while body.len() < len {
        body.extend_from_slice(&split_mix(&mut state).to_le_bytes());
    }
    body.truncate(len);
}
