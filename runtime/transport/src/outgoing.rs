//! The sending half of a mesh: wires, and the bytes that wait for them.

use std::io::{self, IoSlice};
use std::os::fd::RawFd;

use dstd_addr::{NodeId, NodeSet};

use crate::frame::{body_bytes, frame_bytes, padding};
use crate::limits::{EAGER_BYTES, WRITE_SLICES_MAX, WRITE_THROUGH_BYTES};
use crate::mesh::Wire;
use crate::queue::Queue;
use crate::{CloseReason, Header, Limits, Outbox, SendError};

/// All peers of one node, as far as sending goes.
pub(crate) struct Outgoing<W> {
    me: NodeId,
    limits: Limits,
    peers: Vec<Option<Peer<W>>>,
    /// The peers whose queue is not empty.
    queued: NodeSet,
}

/// One peer that is open or ending.
struct Peer<W> {
    wire: W,
    queue: Queue,
    /// The wire took less than it was offered; it is left alone until the next flush.
    full: bool,
    /// Set when nothing can be sent any more: what went wrong first.
    ending: Option<CloseReason>,
}

impl<W: Wire> Outgoing<W> {
    pub(crate) fn new(me: NodeId, wires: Vec<Option<W>>, limits: Limits) -> Outgoing<W> {
        let peer = |wire| Peer { wire, queue: Queue::default(), full: false, ending: None };
        let peers = wires.into_iter().map(|wire| wire.map(peer)).collect();
        Outgoing { me, limits, peers, queued: NodeSet::EMPTY }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The peers with bytes in their queue.
    pub(crate) fn queued(&self) -> NodeSet {
        self.queued
    }

    /// The peers that are open or ending.
    pub(crate) fn live(&self) -> NodeSet {
        self.select(|_| true)
    }

    /// The peers that are open.
    pub(crate) fn open(&self) -> NodeSet {
        self.select(|peer| peer.ending.is_none())
    }

    pub(crate) fn fd(&self, peer: NodeId) -> Option<RawFd> {
        self.peer(peer)?.wire.fd()
    }

    pub(crate) fn read(&mut self, from: NodeId, into: &mut [u8]) -> io::Result<usize> {
        match self.peer_mut(from) {
            Some(peer) => peer.wire.read(into),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// What went wrong with a peer before its stream ended.
    pub(crate) fn take_ending(&mut self, peer: NodeId) -> Option<CloseReason> {
        self.peer_mut(peer)?.ending.take()
    }

    /// Closes a peer's wire.
    pub(crate) fn remove(&mut self, peer: NodeId) {
        self.peers[peer.index()] = None;
        self.queued = self.queued.without(peer);
    }

    fn peer(&self, peer: NodeId) -> Option<&Peer<W>> {
        self.peers.get(peer.index())?.as_ref()
    }

    fn peer_mut(&mut self, peer: NodeId) -> Option<&mut Peer<W>> {
        self.peers.get_mut(peer.index())?.as_mut()
    }

    fn select(&self, wanted: impl Fn(&Peer<W>) -> bool) -> NodeSet {
        self.peers.iter().zip(0..).fold(NodeSet::EMPTY, |set, (peer, rank)| match peer {
            Some(peer) if wanted(peer) => set.with(NodeId(rank)),
            _ => set,
        })
    }
}

impl<W: Wire> Outbox for Outgoing<W> {
    fn send(&mut self, to: NodeId, header: &Header, body: &[IoSlice<'_>]) -> Result<(), SendError> {
        let len: usize = body.iter().map(|slice| slice.len()).sum();
        assert!(to != self.me, "node {to} sends to itself");
        assert!(
            body_bytes(header) as usize == len,
            "the header declares {} of {len} bytes",
            body_bytes(header)
        );
        assert!(
            len <= self.limits.body_bytes_max as usize,
            "a body of {len} bytes exceeds {:?}",
            self.limits
        );
        let lost = SendError::Lost(to);
        let max = self.limits.queue_bytes_max;
        let peer = self.peers.get_mut(to.index()).and_then(Option::as_mut).ok_or(lost)?;
        let sent = peer.send(header, body, len, max);
        self.queued = if peer.queue.is_empty() { self.queued.without(to) } else { self.queued.with(to) };
        if sent { Ok(()) } else { Err(lost) }
    }

    fn flush(&mut self) -> usize {
        let mut waiting = 0;
        for node in self.queued.iter() {
            let peer = self.peers[node.index()].as_mut().expect("a closed peer has no queue");
            peer.write_queue();
            waiting += peer.queue.len();
            if peer.queue.is_empty() {
                self.queued = self.queued.without(node);
            }
        }
        waiting
    }

    fn congested(&self, peer: NodeId) -> bool {
        self.peer(peer).is_some_and(|peer| peer.queue.len() >= self.limits.queue_bytes_soft)
    }
}

impl<W: Wire> Peer<W> {
    /// Takes one frame; false when the peer is lost, before or by this.
    fn send(&mut self, header: &Header, body: &[IoSlice<'_>], len: usize, queue_bytes_max: usize) -> bool {
        if self.ending.is_some() {
            return false;
        }
        let queued = self.queue.len();
        if queued + frame_bytes(len) > queue_bytes_max {
            self.end(CloseReason::Overflow { queued, max: queue_bytes_max });
            return false;
        }
        if len >= WRITE_THROUGH_BYTES && !self.full {
            self.write_through(header, body, len);
        } else {
            self.push(header, body, len, 0);
            if self.queue.len() >= EAGER_BYTES && !self.full {
                self.write_queue();
            }
        }
        self.ending.is_none()
    }

    /// Writes the queue and one frame behind it, and queues what the wire did not take.
    fn write_through(&mut self, header: &Header, body: &[IoSlice<'_>], len: usize) {
        let mut slices = [IoSlice::new(&[]); WRITE_SLICES_MAX];
        // The queue, the header and the padding come on top of the body's slices.
        if body.len() + 3 > WRITE_SLICES_MAX {
            self.push(header, body, len, 0);
            return self.write_queue();
        }
        slices[0] = IoSlice::new(self.queue.as_slice());
        slices[1] = IoSlice::new(header);
        slices[2..2 + body.len()].copy_from_slice(body);
        slices[2 + body.len()] = IoSlice::new(padding(len));
        let offered = self.queue.len() + frame_bytes(len);
        let written = self.wire.write(&slices[..3 + body.len()]);
        let Some(written) = self.written(offered, written) else { return };
        let of_queue = written.min(self.queue.len());
        self.queue.consume(of_queue);
        self.push(header, body, len, written - of_queue);
    }

    /// Writes of the queue what the wire takes.
    fn write_queue(&mut self) {
        let offered = self.queue.len();
        let written = self.wire.write(&[IoSlice::new(self.queue.as_slice())]);
        if let Some(written) = self.written(offered, written) {
            self.queue.consume(written);
        }
    }

    /// Notes how a write went; none when the peer is lost by it.
    fn written(&mut self, offered: usize, result: io::Result<usize>) -> Option<usize> {
        let written = match result {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => {
                self.end(CloseReason::Io(error));
                return None;
            }
        };
        self.full = written < offered;
        Some(written)
    }

    /// Queues a frame but for its first `skip` bytes, which are written already.
    fn push(&mut self, header: &Header, body: &[IoSlice<'_>], len: usize, mut skip: usize) {
        let parts = body.iter().map(|slice| &**slice);
        for part in [header.as_slice()].into_iter().chain(parts).chain([padding(len)]) {
            let skipped = skip.min(part.len());
            self.queue.push(&part[skipped..]);
            skip -= skipped;
        }
    }

    /// Gives the peer up; what it sent so far may still be read.
    fn end(&mut self, why: CloseReason) {
        self.ending = Some(why);
        self.queue.clear();
        self.wire.shutdown();
    }
}
