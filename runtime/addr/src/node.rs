//! Names of nodes and sets of them.

use core::fmt;

/// The rank of a node in its program: 0 runs `main`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub u16);

impl NodeId {
    /// The node that runs `main` and owns the shared statics.
    pub const ZERO: NodeId = NodeId(0);

    /// The rank as an index into per-node tables.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A set of at most [`crate::NODES_MAX`] nodes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug, PartialOrd, Ord)]
pub struct NodeSet(u64);

impl NodeSet {
    /// The set without members.
    pub const EMPTY: NodeSet = NodeSet(0);

    /// The set that holds just `node`.
    pub const fn of(node: NodeId) -> NodeSet {
        NodeSet(1 << node.0)
    }

    /// This set and `node`.
    #[must_use]
    pub const fn with(self, node: NodeId) -> NodeSet {
        NodeSet(self.0 | 1 << node.0)
    }

    /// This set without `node`.
    #[must_use]
    pub const fn without(self, node: NodeId) -> NodeSet {
        NodeSet(self.0 & !(1 << node.0))
    }

    /// Whether `node` is a member.
    pub const fn contains(self, node: NodeId) -> bool {
        self.0 & 1 << node.0 != 0
    }

    /// Whether nobody is a member.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many members there are.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The members in rank order.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let rank = rest.trailing_zeros() as u16;
            rest &= rest - 1;
            Some(NodeId(rank))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_keeps_what_was_put_in() {
        let set = NodeSet::EMPTY.with(NodeId(0)).with(NodeId(63)).with(NodeId(5)).without(NodeId(0));
        assert_eq!(set.iter().collect::<Vec<_>>(), [NodeId(5), NodeId(63)]);
        assert_eq!(set.len(), 2);
        assert!(!set.contains(NodeId(0)) && set.contains(NodeId(63)));
    }
}
