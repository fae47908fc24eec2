//! A transport over byte streams: one [`Wire`] to each peer.
//!
//! Everything that [`Tcp`](crate::tcp::Tcp) and [`Stub`](crate::stub::Stub) have in common is
//! here: queues, framing, fairness, and what a failing stream means. A wire only reads and writes.
//!
//! A peer's life:
//!
//! | state | sends | reads | left by |
//! |---|---|---|---|
//! | open | taken | frames | end of stream or read error: closed; write error or full queue: ending |
//! | ending | `Lost` | frames that came before | end of stream or read error: closed |
//! | closed | `Lost` | nothing | - |
//!
//! `Closed` is reported on entering the last row, with the first thing that went wrong.

use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::time::Duration;

use dstd_addr::{NodeId, NodeSet};

use crate::inbox::{Inbox, TooLarge};
use crate::limits::{FRAMES_PER_TURN, READS_PER_TURN, SCAN_PEERS_MAX};
use crate::outgoing::Outgoing;
use crate::{CloseReason, Event, Header, Limits, Outbox, SendError, Transport, sys};

/// A non-blocking, reliable, ordered stream of bytes in both directions.
pub trait Wire {
    /// Writes what fits now, at least one byte, or fails with `WouldBlock`.
    ///
    /// # Errors
    /// Whatever else means that the peer is gone. Interruptions are not reported.
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Reads what is there, 0 at the end of the stream, or fails with `WouldBlock`.
    ///
    /// # Errors
    /// Whatever else means that the peer is gone. Interruptions are not reported.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize>;

    /// Gives the stream up: bytes that already came may still be read, then it ends.
    fn shutdown(&mut self);

    /// The descriptor to sleep on, if the wire has one.
    fn fd(&self) -> Option<RawFd>;
}

/// Connects every two of `nodes` nodes by the two ends that `pair` makes, and returns the ends of
/// each node by the rank of the peer.
pub fn connect_all<W>(nodes: u16, mut pair: impl FnMut() -> (W, W)) -> Vec<Vec<Option<W>>> {
    let mut ends: Vec<Vec<Option<W>>> = Vec::new();
    for _ in 0..nodes {
        let mut mine = Vec::with_capacity(usize::from(nodes));
        for theirs in &mut ends {
            let (low, high) = pair();
            theirs.push(Some(low));
            mine.push(Some(high));
        }
        mine.push(None);
        ends.push(mine);
    }
    ends
}

/// A [`Transport`] made of one [`Wire`] per peer.
pub struct Mesh<W> {
    out: Outgoing<W>,
    inboxes: Vec<Inbox>,
    /// The rank that is served first by the next poll.
    first: usize,
    /// Scratch of [`Mesh::ready`].
    pollfds: Vec<libc::pollfd>,
}

impl<W: Wire> Mesh<W> {
    /// Takes the wires of node `me`, one per rank; none at `me` and where there is no peer.
    ///
    /// # Panics
    /// When there is a wire at `me`, there are more wires than nodes can exist, or the limits
    /// contradict each other.
    pub fn over(me: NodeId, wires: Vec<Option<W>>, limits: Limits) -> Mesh<W> {
        limits.check();
        assert!(wires.len() <= usize::from(dstd_addr::NODES_MAX), "{} wires are too many", wires.len());
        assert!(!matches!(wires.get(me.index()), Some(Some(_))), "node {me} has a wire to itself");
        let inboxes =
            wires.iter().map(|wire| if wire.is_some() { Inbox::new() } else { Inbox::none() }).collect();
        let pollfds = Vec::with_capacity(wires.len());
        Mesh { out: Outgoing::new(me, wires, limits), inboxes, first: 0, pollfds }
    }

    /// Of `live`, the peers that a read may find something from.
    fn ready(&mut self, live: NodeSet) -> NodeSet {
        if live.len() as usize <= SCAN_PEERS_MAX {
            return live;
        }
        self.pollfds.clear();
        for node in live.iter() {
            let Some(fd) = self.out.fd(node) else { return live };
            self.pollfds.push(libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
        }
        match sys::ppoll(&mut self.pollfds, Some(Duration::ZERO)) {
            Ok(_) => live
                .iter()
                .zip(&self.pollfds)
                .filter(|(_, pollfd)| pollfd.revents != 0)
                .fold(NodeSet::EMPTY, |ready, (node, _)| ready.with(node)),
            // Only a lack of kernel memory gets here; reading everybody is as right, only slower.
            Err(_) => live,
        }
    }

    /// One peer's share of a poll; reads only if the peer is `ready`.
    fn turn(&mut self, peer: NodeId, ready: bool, sink: &mut Sink<'_>) -> usize {
        let mut events = 0;
        let mut reads = if ready { READS_PER_TURN } else { 0 };
        loop {
            if let Err(TooLarge { declared }) = self.deliver(peer, &mut events, sink) {
                let max = self.out.limits().body_bytes_max;
                self.close(peer, CloseReason::Malformed { declared, max }, sink);
                return events + 1;
            }
            if events > 0 || reads == 0 {
                return events;
            }
            match self.receive(peer) {
                Received::All => reads -= 1,
                Received::Some => reads = 0,
                Received::Nothing => return events,
                Received::End(why) => {
                    self.close(peer, why, sink);
                    return events + 1;
                }
            }
        }
    }

    /// Hands out frames that are already here, and counts them, until the turn is over.
    fn deliver(&mut self, from: NodeId, events: &mut usize, sink: &mut Sink<'_>) -> Result<(), TooLarge> {
        let body_bytes_max = self.out.limits().body_bytes_max;
        while *events < FRAMES_PER_TURN {
            let Some((header, body)) = self.inboxes[from.index()].next(body_bytes_max)? else { break };
            *events += 1;
            sink(&mut self.out, Event::Frame { from, header, body });
        }
        Ok(())
    }

    /// Reads once.
    fn receive(&mut self, from: NodeId) -> Received {
        let inbox = &mut self.inboxes[from.index()];
        let room = inbox.room();
        let wanted = room.len();
        match self.out.read(from, room) {
            Ok(0) => {
                let how = if inbox.at_frame_end() { CloseReason::Clean } else { CloseReason::MidFrame };
                Received::End(self.out.take_ending(from).unwrap_or(how))
            }
            Ok(count) => {
                inbox.filled(count);
                if count == wanted { Received::All } else { Received::Some }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Received::Nothing,
            Err(error) => Received::End(self.out.take_ending(from).unwrap_or(CloseReason::Io(error))),
        }
    }

    fn close(&mut self, peer: NodeId, why: CloseReason, sink: &mut Sink<'_>) {
        self.out.remove(peer);
        self.inboxes[peer.index()] = Inbox::none();
        sink(&mut self.out, Event::Closed { peer, why });
    }
}

/// What the owner of a transport does with an event.
type Sink<'a> = dyn FnMut(&mut dyn Outbox, Event<'_>) + 'a;

/// What one read brought.
enum Received {
    /// As many bytes as there was room for; there may be more.
    All,
    Some,
    Nothing,
    End(CloseReason),
}

impl<W: Wire> Outbox for Mesh<W> {
    fn send(&mut self, to: NodeId, header: &Header, body: &[IoSlice<'_>]) -> Result<(), SendError> {
        self.out.send(to, header, body)
    }

    fn flush(&mut self) -> usize {
        self.out.flush()
    }

    fn congested(&self, peer: NodeId) -> bool {
        self.out.congested(peer)
    }
}

impl<W: Wire> Transport for Mesh<W> {
    fn poll(&mut self, sink: &mut dyn FnMut(&mut dyn Outbox, Event<'_>)) -> usize {
        let live = self.out.live();
        if live.is_empty() {
            return 0;
        }
        let ready = self.ready(live);
        let ranks = self.inboxes.len();
        let first = self.first;
        self.first = (first + 1) % ranks;
        let mut events = 0;
        for rank in (first..ranks).chain(0..first) {
            let peer = NodeId(rank as u16);
            if live.contains(peer) {
                events += self.turn(peer, ready.contains(peer), sink);
            }
        }
        events
    }

    fn fds(&self, into: &mut Vec<libc::pollfd>) {
        let queued = self.out.queued();
        for peer in self.out.live().iter() {
            if let Some(fd) = self.out.fd(peer) {
                let events = if queued.contains(peer) { libc::POLLIN | libc::POLLOUT } else { libc::POLLIN };
                into.push(libc::pollfd { fd, events, revents: 0 });
            }
        }
    }

    fn peers(&self) -> NodeSet {
        self.out.open()
    }

    fn limits(&self) -> Limits {
        *self.out.limits()
    }
}
