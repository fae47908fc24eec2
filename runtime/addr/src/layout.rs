//! Where everything lies: the partitions and the slices that stay private to a node.
//!
//! HEAP-1: partitions and private slices of different nodes are disjoint, so that a stray
//! address is either served by its owner or stops the program; it never reads another byte.

use core::ops::Range;

use crate::{GlobalAddr, NodeId, PAGE_BYTES, PageNo};

const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// The most nodes a program can have with this layout.
pub const NODES_MAX: u16 = 64;
/// First address of partition 0.
pub const GLOBAL_BASE: u64 = 0x1000_0000_0000;
/// Size of a partition.
pub const PARTITION_BYTES: u64 = TIB;
/// First address after the last possible partition.
pub const GLOBAL_END: u64 = GLOBAL_BASE + NODES_MAX as u64 * PARTITION_BYTES;
/// The most bytes of a partition that can hold objects and pages (from its start).
pub const HEAP_BYTES_MAX: u64 = 128 * GIB;
/// Where in a partition the thread stacks begin.
pub const STACKS_OFFSET: u64 = 512 * GIB;
/// Size of a partition's stack range.
pub const STACKS_BYTES: u64 = 128 * GIB;
/// Where in a partition the native stacks of user threads begin: right behind the stacks.
pub const THREADS_OFFSET: u64 = STACKS_OFFSET + STACKS_BYTES;
/// Size of a partition's range of native stacks.
pub const THREADS_BYTES: u64 = 128 * GIB;
/// Large blocks that no single heap holds lie from here on, striped over all nodes.
pub const STRIPED_BASE: u64 = GLOBAL_END;
/// The most bytes of the striped range.
pub const STRIPED_BYTES_MAX: u64 = 4 * TIB;
/// The granule of the striped range; stripes are a power of two of them.
pub const STRIPED_CHUNK_BYTES: u64 = 2 << 20;
/// A heap is worth so many stripes or more, but for small heaps: then a stripe is one chunk.
const STRIPES_A_HEAP: u64 = 64;
/// The runtime's private heap of node k lies at `PRIVATE_BASE + k * PRIVATE_SLICE_BYTES`.
pub const PRIVATE_BASE: u64 = 0x0100_0000_0000;
/// Size of one private slice.
pub const PRIVATE_SLICE_BYTES: u64 = 64 * GIB;
/// The alias of node k's heap lies at `ALIAS_BASE + k * HEAP_BYTES_MAX`.
pub const ALIAS_BASE: u64 = 0x0800_0000_0000;
/// Native slices grow down from here: node 0's is the uppermost.
pub const NATIVE_TOP: u64 = 0x7fff_e000_0000;
/// Size of the slice in which a node's own mappings land after its start.
pub const NATIVE_SLICE_BYTES: u64 = 64 * GIB;

const _: () = assert!(PRIVATE_BASE + NODES_MAX as u64 * PRIVATE_SLICE_BYTES <= ALIAS_BASE);
const _: () = assert!(ALIAS_BASE + NODES_MAX as u64 * HEAP_BYTES_MAX <= GLOBAL_BASE);
const _: () = assert!(STRIPED_BASE + STRIPED_BYTES_MAX <= 0x5500_0000_0000);
const _: () = assert!(NATIVE_TOP - NODES_MAX as u64 * NATIVE_SLICE_BYTES > 0x7b00_0000_0000);
const _: () = assert!(HEAP_BYTES_MAX <= STACKS_OFFSET && THREADS_OFFSET + THREADS_BYTES <= PARTITION_BYTES);

/// What lies at an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Objects and pages of a partition.
    Heap(NodeId),
    /// Stacks of user threads in a partition.
    Stack(NodeId),
    /// Thread-locals of the program in the slot of a user thread.
    ThreadLocal(NodeId),
    /// A stripe of a large block, in the range that all nodes hold together.
    Striped(NodeId),
    /// Shared statics (home node 0).
    Static,
    /// The runtime's own memory on a node.
    Private(NodeId),
    /// What a node mapped after its start, mapped files for instance, and the native stacks of user
    /// threads with the thread-locals of std and of libraries.
    Native(NodeId),
    /// Reserved, used by nobody.
    Unused,
    /// The program, its libraries, the initial stack: outside every slice.
    Image,
}

/// How the range of native stacks is cut: one slot for each user thread.
///
/// ```text
/// | guard page | native stack | thread-locals of libraries | of the program | of std | control block |
///                                                           ^- `locals` -^
/// ```
/// The same on all nodes, so that each knows what an address in another's slot is.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Slots {
    /// Size of a slot; 0 when there are none.
    pub bytes: u64,
    /// Where in a slot the thread-locals of the program lie, in whole pages; empty when they
    /// cannot be told from others.
    pub locals: Range<u64>,
}

/// The layout of one program: its number of nodes, its shared statics and its threads' slots.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    nodes: u16,
    heap_bytes: u64,
    statics: [Range<PageNo>; 2],
    slots: Slots,
}

impl Layout {
    /// The layout of a program of `nodes` nodes whose shared statics lie in `statics`
    /// (page-aligned address ranges, possibly empty).
    ///
    /// # Panics
    /// When `nodes` is 0 or above [`NODES_MAX`], or a range of statics is not page-aligned.
    pub fn new(nodes: u16, statics: [Range<u64>; 2]) -> Layout {
        assert!((1..=NODES_MAX).contains(&nodes), "a program has 1 to {NODES_MAX} nodes, not {nodes}");
        let pages = statics.map(|range| {
            assert!(
                range.start % PAGE_BYTES == 0 && range.end % PAGE_BYTES == 0,
                "statics lie on whole pages"
            );
            GlobalAddr(range.start).page()..GlobalAddr(range.end).page()
        });
        Layout { nodes, heap_bytes: HEAP_BYTES_MAX, statics: pages, slots: Slots::default() }
    }

    /// The same layout with heaps of `bytes` (rounded up to whole pages): what lies above is unused.
    ///
    /// # Panics
    /// When that is more than [`HEAP_BYTES_MAX`].
    #[must_use]
    pub fn with_heap_bytes(mut self, bytes: u64) -> Layout {
        assert!(bytes <= HEAP_BYTES_MAX, "a heap has at most {HEAP_BYTES_MAX} bytes, not {bytes}");
        self.heap_bytes = bytes.next_multiple_of(PAGE_BYTES);
        self
    }

    /// The same layout with native stacks in slots.
    ///
    /// # Panics
    /// When the thread-locals lie outside of the slot, or slot and thread-locals are not whole pages.
    #[must_use]
    pub fn with_slots(mut self, slots: Slots) -> Layout {
        assert!(slots.locals.start <= slots.locals.end && slots.locals.end <= slots.bytes);
        let whole = [slots.bytes, slots.locals.start, slots.locals.end];
        assert!(whole.iter().all(|at| at % PAGE_BYTES == 0), "slots are cut at whole pages: {slots:?}");
        self.slots = slots;
        self
    }

    /// How the ranges of native stacks are cut.
    pub const fn slots(&self) -> &Slots {
        &self.slots
    }

    /// The thread-locals of the program in the slot that `addr` lies in, wherever in it.
    pub fn locals_beside(&self, addr: u64) -> Option<Range<u64>> {
        let offset = addr.checked_sub(GLOBAL_BASE).filter(|_| addr < GLOBAL_END)? % PARTITION_BYTES;
        let offset = offset.checked_sub(THREADS_OFFSET).filter(|offset| *offset < THREADS_BYTES)?;
        let slot = addr - offset.checked_rem(self.slots.bytes)?;
        Some(slot + self.slots.locals.start..slot + self.slots.locals.end)
    }

    /// How many bytes in a row of the striped range have one home.
    pub const fn stripe_bytes(&self) -> u64 {
        let share = (self.heap_bytes / STRIPES_A_HEAP).next_power_of_two();
        if share < STRIPED_CHUNK_BYTES { STRIPED_CHUNK_BYTES } else { share }
    }

    /// The addresses for large blocks over all nodes: twice what all heaps hold, as far as there is room, so that
    /// blocks of different sizes find a place. Empty in a program of one node.
    pub fn striped(&self) -> Range<u64> {
        if self.nodes == 1 {
            return STRIPED_BASE..STRIPED_BASE;
        }
        let round = self.stripe_bytes() * u64::from(self.nodes);
        let bytes = (2 * u64::from(self.nodes) * self.heap_bytes).next_multiple_of(round);
        STRIPED_BASE..STRIPED_BASE + bytes.min(STRIPED_BYTES_MAX / round * round)
    }

    /// The home of an address of the striped range.
    fn stripe(&self, addr: u64) -> NodeId {
        let stripe = (addr - STRIPED_BASE) >> self.stripe_bytes().trailing_zeros();
        NodeId((stripe % u64::from(self.nodes)) as u16)
    }

    /// How many nodes the program has.
    pub const fn nodes(&self) -> u16 {
        self.nodes
    }

    /// The shared statics, as page ranges.
    pub const fn statics(&self) -> &[Range<PageNo>; 2] {
        &self.statics
    }

    /// All addresses of `node`'s partition.
    pub const fn partition(node: NodeId) -> Range<u64> {
        let start = GLOBAL_BASE + node.0 as u64 * PARTITION_BYTES;
        start..start + PARTITION_BYTES
    }

    /// The objects-and-pages range of `node`'s partition.
    pub const fn heap(node: NodeId) -> Range<u64> {
        let start = Self::partition(node).start;
        start..start + HEAP_BYTES_MAX
    }

    /// The stack range of `node`'s partition.
    pub const fn stacks(node: NodeId) -> Range<u64> {
        let start = Self::partition(node).start + STACKS_OFFSET;
        start..start + STACKS_BYTES
    }

    /// The range of native stacks of `node`'s user threads.
    pub const fn threads(node: NodeId) -> Range<u64> {
        let start = Self::partition(node).start + THREADS_OFFSET;
        start..start + THREADS_BYTES
    }

    /// The runtime's private heap of `node`.
    pub const fn private(node: NodeId) -> Range<u64> {
        let start = PRIVATE_BASE + node.0 as u64 * PRIVATE_SLICE_BYTES;
        start..start + PRIVATE_SLICE_BYTES
    }

    /// The alias mapping of `node`'s own heap.
    pub const fn alias(node: NodeId) -> Range<u64> {
        let start = ALIAS_BASE + node.0 as u64 * HEAP_BYTES_MAX;
        start..start + HEAP_BYTES_MAX
    }

    /// The slice in which `node`'s own mappings land after its start.
    pub const fn native(node: NodeId) -> Range<u64> {
        let end = NATIVE_TOP - node.0 as u64 * NATIVE_SLICE_BYTES;
        end - NATIVE_SLICE_BYTES..end
    }

    /// What lies at `addr`.
    pub fn kind(&self, addr: u64) -> Kind {
        let page = GlobalAddr(addr).page();
        if self.statics.iter().any(|range| range.contains(&page)) {
            return Kind::Static;
        }
        let slice = |base: u64, size: u64| {
            let rank = addr.wrapping_sub(base) / size;
            (rank < u64::from(self.nodes)).then_some(NodeId(rank as u16))
        };
        match addr {
            PRIVATE_BASE..ALIAS_BASE => {
                slice(PRIVATE_BASE, PRIVATE_SLICE_BYTES).map_or(Kind::Unused, Kind::Private)
            }
            ALIAS_BASE..GLOBAL_BASE => slice(ALIAS_BASE, HEAP_BYTES_MAX).map_or(Kind::Unused, Kind::Private),
            GLOBAL_BASE..GLOBAL_END => slice(GLOBAL_BASE, PARTITION_BYTES).map_or(Kind::Unused, |node| {
                if addr - Self::heap(node).start < self.heap_bytes {
                    Kind::Heap(node)
                } else if Self::stacks(node).contains(&addr) {
                    Kind::Stack(node)
                } else {
                    match self.locals_beside(addr) {
                        Some(locals) if locals.contains(&addr) => Kind::ThreadLocal(node),
                        Some(_) => Kind::Native(node),
                        None => Kind::Unused,
                    }
                }
            }),
            _ if self.striped().contains(&addr) => Kind::Striped(self.stripe(addr)),
            _ => {
                let rank = NATIVE_TOP.wrapping_sub(addr + 1) / NATIVE_SLICE_BYTES;
                if addr < NATIVE_TOP && rank < u64::from(self.nodes) {
                    Kind::Native(NodeId(rank as u16))
                } else {
                    Kind::Image
                }
            }
        }
    }

    /// The home node of a page, when the page is global: heap, stacks, stripes, thread-locals of the program and
    /// shared statics.
    pub fn home(&self, page: PageNo) -> Option<NodeId> {
        match self.kind(page.addr().0) {
            Kind::Heap(node) | Kind::Stack(node) | Kind::Striped(node) | Kind::ThreadLocal(node) => {
                Some(node)
            }
            Kind::Static => Some(NodeId::ZERO),
            Kind::Private(_) | Kind::Native(_) | Kind::Unused | Kind::Image => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::new(3, [0x5555_5600_0000..0x5555_5600_2000, 0x5555_5601_0000..0x5555_5601_0000])
    }

    #[test]
    fn every_slice_knows_its_owner_at_both_ends() {
        let layout = layout();
        for rank in 0..3 {
            let node = NodeId(rank);
            for (range, kind) in [
                (Layout::heap(node), Kind::Heap(node)),
                (Layout::stacks(node), Kind::Stack(node)),
                (Layout::private(node), Kind::Private(node)),
                (Layout::alias(node), Kind::Private(node)),
                (Layout::native(node), Kind::Native(node)),
            ] {
                assert_eq!(layout.kind(range.start), kind);
                assert_eq!(layout.kind(range.end - 1), kind);
                assert_ne!(layout.kind(range.end), kind);
                assert_ne!(layout.kind(range.start - 1), kind);
            }
        }
    }

    #[test]
    fn slices_of_nodes_that_do_not_exist_belong_to_nobody() {
        let layout = layout();
        assert_eq!(layout.kind(Layout::heap(NodeId(3)).start), Kind::Unused);
        assert_eq!(layout.kind(Layout::private(NodeId(3)).start), Kind::Unused);
        assert_eq!(layout.kind(Layout::native(NodeId(3)).start), Kind::Image);
        assert_eq!(layout.home(GlobalAddr(Layout::heap(NodeId(63)).start).page()), None);
    }

    #[test]
    fn a_smaller_heap_ends_earlier() {
        let layout = layout().with_heap_bytes(PAGE_BYTES + 1);
        let start = Layout::heap(NodeId(1)).start;
        assert_eq!(layout.kind(start + 2 * PAGE_BYTES - 1), Kind::Heap(NodeId(1)));
        assert_eq!(layout.kind(start + 2 * PAGE_BYTES), Kind::Unused);
        assert_eq!(layout.home(GlobalAddr(start + 2 * PAGE_BYTES).page()), None);
    }

    #[test]
    fn only_the_programs_thread_locals_have_a_home() {
        const SLOT: u64 = 2 << 20;
        let locals = SLOT - 4 * PAGE_BYTES..SLOT - 2 * PAGE_BYTES;
        let layout = layout().with_slots(Slots { bytes: SLOT, locals: locals.clone() });
        for (node, number) in [(0, 0), (1, 7), (2, THREADS_BYTES / SLOT - 1)] {
            let node = NodeId(node);
            let slot = Layout::threads(node).start + number * SLOT;
            let range = slot + locals.start..slot + locals.end;
            for (addr, kind) in [
                (slot, Kind::Native(node)),
                (range.start - 1, Kind::Native(node)),
                (range.start, Kind::ThreadLocal(node)),
                (range.end - 1, Kind::ThreadLocal(node)),
                (range.end, Kind::Native(node)),
                (slot + SLOT - 1, Kind::Native(node)),
            ] {
                assert_eq!(layout.kind(addr), kind, "{addr:#x}");
                assert_eq!(layout.locals_beside(addr), Some(range.clone()));
            }
            assert_eq!(layout.home(GlobalAddr(range.start).page()), Some(node));
            assert_eq!(layout.home(GlobalAddr(range.end).page()), None);
        }
        let end = Layout::threads(NodeId(0)).end;
        assert_eq!((layout.kind(end), layout.locals_beside(end)), (Kind::Unused, None));
        assert_eq!(layout.locals_beside(Layout::stacks(NodeId(1)).end - 1), None);
        let without = super::tests::layout();
        assert_eq!(without.kind(Layout::threads(NodeId(1)).start), Kind::Unused);
    }

    #[test]
    fn stripes_go_round_the_nodes() {
        for (heap_bytes, stripe) in [(64 << 20, 2 << 20), (256 << 20, 4 << 20), (HEAP_BYTES_MAX, 2 << 30)] {
            let layout = layout().with_heap_bytes(heap_bytes);
            let striped = layout.striped();
            assert_eq!((layout.stripe_bytes(), striped.start), (stripe, STRIPED_BASE));
            let wanted = 6 * heap_bytes;
            assert!(striped.end - striped.start >= wanted, "{striped:x?}");
            assert!(striped.end - striped.start < wanted + 3 * stripe, "{striped:x?}");
            for at in 0..7 {
                let home = Kind::Striped(NodeId(at as u16 % 3));
                assert_eq!(layout.kind(STRIPED_BASE + at * stripe), home);
                assert_eq!(layout.kind(STRIPED_BASE + (at + 1) * stripe - 1), home);
            }
            assert_eq!(layout.kind(striped.end - 1), Kind::Striped(NodeId(2)));
            assert_eq!(layout.kind(striped.end), Kind::Image);
        }
    }

    #[test]
    fn the_striped_range_has_a_bound_and_one_node_has_none() {
        let many = Layout::new(NODES_MAX, [0..0, 0..0]).striped();
        assert_eq!(many.end - many.start, STRIPED_BYTES_MAX);
        let one = Layout::new(1, [0..0, 0..0]);
        assert!(one.striped().is_empty());
        assert_eq!(one.kind(STRIPED_BASE), Kind::Image);
    }

    #[test]
    fn statics_live_at_node_0() {
        let layout = layout();
        assert_eq!(layout.kind(0x5555_5600_1fff), Kind::Static);
        assert_eq!(layout.kind(0x5555_5600_2000), Kind::Image);
        assert_eq!(layout.home(GlobalAddr(0x5555_5600_0000).page()), Some(NodeId::ZERO));
    }

    #[test]
    fn slices_are_pairwise_disjoint() {
        let mut all = Vec::new();
        for rank in 0..NODES_MAX {
            let node = NodeId(rank);
            all.extend([
                Layout::partition(node),
                Layout::private(node),
                Layout::alias(node),
                Layout::native(node),
            ]);
        }
        all.sort_by_key(|range| range.start);
        assert!(all.windows(2).all(|pair| pair[0].end <= pair[1].start));
    }
}
