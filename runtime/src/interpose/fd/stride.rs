//! How many descriptors a node gets.

use core::fmt;
use core::ops::Range;

use dstd_addr::NodeId;

/// Fewer descriptors are not enough for a node: its sockets to the others, and the program's files.
const STRIDE_MIN: u32 = 256;
/// More are not handed out: node k holds `k * stride` fillers, and each `Command` of the program has
/// the kernel copy and close them (about 0.1 us each).
pub(super) const STRIDE_MAX: u32 = 4096;

/// The number of descriptors of each node, the same for all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stride(u32);

impl Stride {
    /// How many descriptors a node has.
    pub(crate) fn count(self) -> u32 {
        self.0
    }

    /// The descriptors of `node`, apart from the common 0, 1 and 2.
    pub(crate) fn range(self, node: NodeId) -> Range<u32> {
        let start = u32::from(node.0) * self.0;
        start.max(3)..start + self.0
    }
}

/// The host lets a process have too few descriptors for a program of so many nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooFewDescriptors {
    nodes: u16,
    hard_limit: u64,
}

impl fmt::Display for TooFewDescriptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooFewDescriptors { nodes, hard_limit } = self;
        let needed = u64::from(*nodes) * u64::from(STRIDE_MIN);
        write!(
            f,
            "{nodes} nodes need {needed} descriptor numbers on each host, the limit here is {hard_limit}: \
             raise it with ulimit -Hn {needed}"
        )
    }
}

impl core::error::Error for TooFewDescriptors {}

/// The stride of a program of `nodes` nodes, where a process can have `hard_limit` descriptors.
///
/// # Errors
/// When a node would get fewer than it needs.
pub(crate) fn plan(nodes: u16, hard_limit: u64) -> Result<Stride, TooFewDescriptors> {
    let share = hard_limit / u64::from(nodes.max(1));
    // Below the maximum, a power of two: easy to read in messages.
    let share = u32::try_from(share).unwrap_or(u32::MAX).min(STRIDE_MAX);
    if share < STRIDE_MIN {
        Err(TooFewDescriptors { nodes, hard_limit })
    } else {
        Ok(Stride(1 << share.ilog2()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_powers_of_two_within_bounds() {
        for (nodes, hard_limit, stride) in [
            (3, 20_000, Some(4096)),
            (3, u64::MAX, Some(4096)),
            (5, 20_000, Some(2048)),
            (64, 20_000, Some(256)),
            (64, 16_384, Some(256)),
            (64, 16_383, None),
            (3, 1024, Some(256)),
            (4, 1023, None),
            (1, 0, None),
        ] {
            let planned = plan(nodes, hard_limit);
            assert_eq!(planned.ok().map(Stride::count), stride, "{nodes} nodes, limit {hard_limit}");
            if let Ok(stride) = planned {
                let end = u64::from(stride.range(NodeId(nodes - 1)).end);
                assert!(end <= hard_limit, "the last node's range ends within the limit");
            }
        }
    }

    #[test]
    fn ranges_of_nodes_meet_and_leave_the_standard_streams_out() {
        let stride = plan(3, 1024).expect("256 each");
        assert_eq!(stride.range(NodeId(0)), 3..256);
        assert_eq!(stride.range(NodeId(1)), 256..512);
        assert_eq!(stride.range(NodeId(2)), 512..768);
    }

    #[test]
    fn the_error_says_what_to_do() {
        let text = plan(64, 4096).expect_err("64 each").to_string();
        assert!(text.contains("ulimit -Hn 16384"), "{text}");
    }
}
