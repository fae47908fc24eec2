//! The sockets over which nodes set up their links of shared memory: one pair for each pair of nodes.
//!
//! A node gets its ends by inheritance, and nobody else has them: not the launcher, once the node has started,
//! and no other node. So the end of a node is the end of its sockets, whenever it comes.
//!
//! ```text
//! start of   takes                          leaves for later
//! node 0     (0,1) (0,2) (0,3)              (1,0) (2,0) (3,0)
//! node 1     (1,0)  and  (1,2) (1,3)        (2,0) (2,1) (3,0) (3,1)
//! node 2     (2,0) (2,1)  and  (2,3)        (3,0) (3,1) (3,2)
//! ```
//! Pairs are made as late as possible, so the launcher never holds all of them.

use std::io;
use std::os::unix::net::UnixStream;

use dstd_control::env::Transport;

use crate::sys;

/// What the launcher has open besides: for each node its stderr, its connection, its statistics while it starts.
const OTHERS: u64 = 64;
const OTHERS_PER_NODE: u64 = 5;

/// The ends of nodes that have not started.
pub(crate) struct Links {
    /// By rank: the ends that lead to lower ranks, in their order.
    waiting: Vec<Vec<UnixStream>>,
}

impl Links {
    /// The links of a program, if its nodes talk through them.
    pub(crate) fn wanted(transport: Transport, nodes: u16) -> Result<Option<Links>, String> {
        if transport == Transport::Shm && nodes > 1 { Links::new(nodes).map(Some) } else { Ok(None) }
    }

    /// Prepares the links of `nodes` nodes; the words say why there cannot be so many and what to do.
    fn new(nodes: u16) -> Result<Links, String> {
        let needed = open_at_most(nodes) + OTHERS + OTHERS_PER_NODE * u64::from(nodes);
        let limit = sys::raise_descriptor_limit(needed)
            .map_err(|error| format!("cannot read the limit of descriptors: {error}"))?;
        if limit < needed {
            return Err(format!(
                "{nodes} nodes that share memory need {needed} descriptors in the launcher, the limit is {limit}: \
                 raise it with ulimit -Hn {needed}, or use --transport tcp"
            ));
        }
        Ok(Links { waiting: (0..nodes).map(|_| Vec::new()).collect() })
    }

    /// The ends of node `rank`, one for each other node, by rank. Nodes must be started in the order of their ranks,
    /// and the ends be dropped when the node has inherited them.
    ///
    /// # Errors
    /// Descriptors have run out.
    pub(crate) fn ends_of(&mut self, rank: u16) -> io::Result<Vec<UnixStream>> {
        let (started, later) = self.waiting.split_at_mut(usize::from(rank) + 1);
        let mut ends = started.last_mut().map(std::mem::take).unwrap_or_default();
        for waiting in later {
            let (end, other) = UnixStream::pair()?;
            waiting.push(other);
            ends.push(end);
        }
        Ok(ends)
    }
}

/// The most ends that are open at a time: while node k starts, those it takes, and those that all nodes up to it leave
/// for the later ones.
fn open_at_most(nodes: u16) -> u64 {
    let nodes = u64::from(nodes);
    let while_starting = |rank: u64| (nodes - 1) + (rank + 1) * (nodes - 1 - rank);
    (0..nodes).map(while_starting).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn every_node_gets_its_ends_by_rank_and_they_meet() {
        let mut links = Links::new(4).unwrap();
        let mut ends: Vec<Vec<UnixStream>> = (0..4).map(|rank| links.ends_of(rank).unwrap()).collect();
        for (me, ends) in (0..4_u8).zip(&mut ends) {
            let peers: Vec<u8> = (0..4).filter(|peer| *peer != me).collect();
            assert_eq!(ends.len(), peers.len());
            for (end, peer) in ends.iter_mut().zip(peers) {
                end.write_all(&[me, peer]).unwrap();
            }
        }
        for (me, ends) in (0..4_u8).zip(&mut ends) {
            for (end, peer) in ends.iter_mut().zip((0..4).filter(|peer| *peer != me)) {
                let mut said = [0; 2];
                end.read_exact(&mut said).unwrap();
                assert_eq!(said, [peer, me]);
            }
        }
        drop(ends.remove(1));
        for (ends, to_node_1) in ends.iter_mut().zip([0, 1, 1]) {
            assert_eq!(ends[to_node_1].read(&mut [0]).unwrap(), 0, "node 1 has gone");
        }
        assert!(links.waiting.iter().all(Vec::is_empty), "the launcher keeps none");
    }

    #[test]
    fn the_most_ends_are_open_half_way() {
        let counted = |nodes: u16| {
            let mut links = Links::new(nodes).unwrap();
            let count = |rank| {
                let ends = links.ends_of(rank).unwrap();
                ends.len() + links.waiting.iter().map(Vec::len).sum::<usize>()
            };
            (0..nodes).map(count).max().unwrap() as u64
        };
        for nodes in [1, 2, 3, 8, 9] {
            assert_eq!(open_at_most(nodes), counted(nodes), "{nodes} nodes");
        }
        assert_eq!(open_at_most(64), 63 + 32 * 32);
    }
}
