//! The network: first in, first out between two nodes, any order across peers.

use std::collections::VecDeque;
use std::rc::Rc;

use dstd_addr::NodeId;
use dstd_protocol::Message;

use crate::memory::Image;
use crate::rng::Rng;

/// A message and the pages that travel with it.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) message: Message,
    pub(crate) body: Rc<Vec<Image>>,
}

#[derive(Clone, Default, Debug)]
struct Link {
    under_way: VecDeque<Envelope>,
    last_arrival: u64,
    stalled_until: u64,
}

/// All links.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    nodes: usize,
    links: Vec<Link>,
    latency_ns: u64,
}

impl Network {
    pub(crate) fn new(nodes: u16, latency_ns: u64) -> Network {
        let nodes = usize::from(nodes);
        Network { nodes, links: vec![Link::default(); nodes * nodes], latency_ns }
    }

    fn link(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        &mut self.links[from.index() * self.nodes + to.index()]
    }

    /// Takes a message; says when it arrives.
    pub(crate) fn send(
        &mut self,
        now: u64,
        from: NodeId,
        to: NodeId,
        envelope: Envelope,
        rng: &mut Rng,
    ) -> u64 {
        let latency = self.latency_ns;
        let link = self.link(from, to);
        if rng.once_in(40) {
            link.stalled_until = now + rng.below(30 * latency);
        }
        let arrival = now.max(link.stalled_until) + rng.between(latency / 2, 2 * latency);
        link.last_arrival = arrival.max(link.last_arrival + 1);
        link.under_way.push_back(envelope);
        link.last_arrival
    }

    /// Hands over the oldest message of a link.
    pub(crate) fn arrive(&mut self, from: NodeId, to: NodeId) -> Option<Envelope> {
        self.link(from, to).under_way.pop_front()
    }

    /// Lets the newest message of a link overtake the one before it: breaks XPORT-1.
    pub(crate) fn overtake(&mut self, from: NodeId, to: NodeId) {
        let queue = &mut self.link(from, to).under_way;
        if let [.., before, newest] = queue.make_contiguous() {
            std::mem::swap(before, newest);
        }
    }
}
