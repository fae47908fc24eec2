//! The transport over links: a mesh, and how to sleep on it.

use std::io::{self, IoSlice};
use std::sync::{Arc, Weak};

use dstd_addr::{NodeId, NodeSet};

use super::end::LinkEnd;
use super::link::Link;
use super::wire::ShmWire;
use crate::mesh::Mesh;
use crate::{Event, Header, Limits, Outbox, SendError, Transport};

/// A [`Transport`] over one link per peer, for nodes of one host.
///
/// Its [`fds`](Transport::fds) announces to the peers that this node is about to sleep: call it
/// right before sleeping, each time, and poll afterwards. While a full ring holds frames back, the
/// descriptor becomes readable, not writable, when there is room again.
///
/// Dropping it ends the links; bytes that are still queued are lost, so flush first.
pub struct Shm {
    mesh: Mesh<ShmWire>,
    /// By rank; gone when the mesh has closed the wire.
    links: Vec<Weak<Link>>,
    /// Peers with frames that were sent since the last flush, or may have been.
    unflushed: NodeSet,
}

impl Shm {
    /// Takes the links of node `me`: `links[rank]` leads to that node; none at `me` and where
    /// there is no peer.
    ///
    /// # Errors
    /// When the memory of a link cannot be mapped.
    pub fn new(me: NodeId, links: Vec<Option<LinkEnd>>) -> io::Result<Shm> {
        Shm::with_limits(me, links, Limits::default())
    }

    /// Like [`new`](Shm::new), with bounds other than the default ones.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// Like [`Mesh::over`].
    pub fn with_limits(me: NodeId, links: Vec<Option<LinkEnd>>, limits: Limits) -> io::Result<Shm> {
        let mut shared = Vec::with_capacity(links.len());
        for end in links {
            shared.push(end.map(LinkEnd::into_link).transpose()?.map(Arc::new));
        }
        let links = shared.iter().map(|link| link.as_ref().map_or_else(Weak::new, Arc::downgrade)).collect();
        let wires = shared.into_iter().map(|link| link.map(ShmWire::over)).collect();
        Ok(Shm { mesh: Mesh::over(me, wires, limits), links, unflushed: NodeSet::EMPTY })
    }
}

impl Outbox for Shm {
    fn send(&mut self, to: NodeId, header: &Header, body: &[IoSlice<'_>]) -> Result<(), SendError> {
        self.mesh.send(to, header, body)?;
        self.unflushed = self.unflushed.with(to);
        Ok(())
    }

    fn flush(&mut self) -> usize {
        self.unflushed = NodeSet::EMPTY;
        self.mesh.flush()
    }

    fn congested(&self, peer: NodeId) -> bool {
        self.mesh.congested(peer)
    }
}

impl Transport for Shm {
    fn poll(&mut self, sink: &mut dyn FnMut(&mut dyn Outbox, Event<'_>)) -> usize {
        let events = self.mesh.poll(sink);
        if events > 0 {
            // The sink may have sent to anybody.
            self.unflushed = self.mesh.peers();
        }
        events
    }

    fn fds(&self, into: &mut Vec<libc::pollfd>) {
        for (link, rank) in self.links.iter().zip(0..) {
            if let Some(link) = link.upgrade() {
                into.push(link.arm(self.unflushed.contains(NodeId(rank))));
            }
        }
    }

    fn peers(&self) -> NodeSet {
        self.mesh.peers()
    }

    fn limits(&self) -> Limits {
        self.mesh.limits()
    }
}
