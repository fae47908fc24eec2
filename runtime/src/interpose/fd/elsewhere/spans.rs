//! Which buffers the owner can use where they lie.

use dstd_addr::{GlobalAddr, Kind, Layout, NodeId};

use crate::context::Context;

/// With `--no-direct`, buffers up to here travel with the call: a page costs a fault, which is two messages and about
/// 20 us, and these bytes take less than that.
const SMALL_BYTES: usize = 32 << 10;
/// Buffers that have their home elsewhere than the owner travel up to here: their pages would come one after the other, and go back
/// so (1 MiB: 20 ms instead of 1). Longer ones would keep the engines busy with copying.
const CARRIED_BYTES: usize = 1 << 20;

/// Whether the bytes at `addr` have to travel to `owner`, or had better travel and fit into the `room` of a message.
pub(super) fn needs_copy(context: &Context, owner: NodeId, addr: u64, len: usize, room: usize) -> bool {
    if !is_global(&context.layout, addr, len as u64) {
        return true;
    }
    // In a domain the owner maps the same memory.
    !context.direct && len <= room && travels(&context.layout, owner, addr, len)
}

/// Whether these global bytes take less time as a part of the message.
fn travels(layout: &Layout, owner: NodeId, addr: u64, len: usize) -> bool {
    let is_at_home = layout.home(GlobalAddr(addr).page()) == Some(owner);
    len <= if is_at_home { SMALL_BYTES } else { CARRIED_BYTES }
}

/// Whether all of these bytes are one memory for all nodes.
pub(super) fn is_global(layout: &Layout, addr: u64, len: u64) -> bool {
    let Some(last) = addr.checked_add(len.max(1) - 1) else { return false };
    match (layout.kind(addr), layout.kind(last)) {
        (Kind::Heap(a), Kind::Heap(b)) | (Kind::Stack(a), Kind::Stack(b)) => a == b,
        (Kind::Striped(_), Kind::Striped(_)) => true,
        (Kind::Static, Kind::Static) => {
            let [first, last] = [addr, last].map(|addr| GlobalAddr(addr).page());
            layout.statics().iter().any(|range| range.contains(&first) && range.contains(&last))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use dstd_addr::PAGE_BYTES;

    use super::*;

    #[test]
    fn large_buffers_are_used_in_place_sooner_at_their_home() {
        let layout = Layout::new(2, [0..0, 0..0]);
        let heap = Layout::heap(NodeId(1)).start;
        for (owner, len, expected) in [
            (NodeId(1), SMALL_BYTES, true),
            (NodeId(1), SMALL_BYTES + 1, false),
            (NodeId(0), CARRIED_BYTES, true),
            (NodeId(0), CARRIED_BYTES + 1, false),
        ] {
            assert_eq!(travels(&layout, owner, heap, len), expected, "{len} bytes to {owner}");
        }
    }

    #[test]
    fn a_buffer_is_global_only_with_both_ends_in_one_range() {
        let statics = [0x5555_5600_0000..0x5555_5600_2000, 0x5555_5601_0000..0x5555_5601_1000];
        let layout = Layout::new(2, statics).with_heap_bytes(16 * PAGE_BYTES);
        let heap = Layout::heap(NodeId(1)).start;
        assert!(is_global(&layout, heap, 16 * PAGE_BYTES));
        assert!(!is_global(&layout, heap, 16 * PAGE_BYTES + 1));
        assert!(!is_global(&layout, heap - 1, 2));
        let stacks = Layout::stacks(NodeId(0));
        assert!(is_global(&layout, stacks.end - 8, 8));
        assert!(!is_global(&layout, stacks.end - 8, 9));
        assert!(is_global(&layout, 0x5555_5600_1fff, 1));
        assert!(!is_global(&layout, 0x5555_5600_1fff, 0xf000), "std's own statics lie between");
        assert!(!is_global(&layout, Layout::native(NodeId(0)).start, 8));
        assert!(!is_global(&layout, Layout::private(NodeId(0)).start, 8));
        assert!(!is_global(&layout, u64::MAX, 2));
        assert!(!is_global(&layout, 0, 0));
    }
}
