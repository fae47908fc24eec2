//! The map of moved pages: borders of words and of kinds of memory.

use super::*;

const STATICS: u64 = 0x5555_5600_0000;

fn map(me: u16) -> Map {
    let layout = Layout::new(3, [STATICS..STATICS + 4 * PAGE_BYTES, 0..0]).with_heap_bytes(256 << 20);
    let (bits, summary) = zeroed(pages_of(&layout)).expect("a mapping");
    Map { me: NodeId(me), layout, bits, summary }
}

/// The first address of the stripe with this number.
fn stripe(map: &Map, number: u64) -> u64 {
    map.layout.striped().start + number * map.layout.stripe_bytes()
}

fn runs(map: &Map, range: Range<u64>) -> Vec<Range<u64>> {
    let mut found = Vec::new();
    map.runs(&range, |run| found.push(run));
    found
}

#[test]
fn runs_are_found_at_all_borders() {
    let map = map(1);
    let range = Layout::heap(NodeId(1));
    let page = |n: u64| range.start + n * PAGE_BYTES;
    let last = (range.end - range.start) / PAGE_BYTES;
    let expected = [0..1, 63..65, 127..128, 32_767..32_770, 100_000..100_001, last - 1..last];
    for pages in expected.clone() {
        pages.for_each(|n| map.set(map.index(page(n)).expect("global"), true));
    }
    map.set(map.index(range.end).expect("global"), true);
    assert_eq!(runs(&map, range.clone()), expected.map(|pages| page(pages.start)..page(pages.end)));
    map.set(map.index(page(64)).expect("global"), false);
    assert_eq!(runs(&map, page(60)..page(128)), [page(63)..page(64), page(127)..page(128)]);
}

#[test]
fn runs_of_a_stripe_end_with_it() {
    let map = map(2);
    let range = stripe(&map, 2)..stripe(&map, 3);
    for address in [range.start - PAGE_BYTES, range.start, range.end - PAGE_BYTES, range.end] {
        map.set(map.index(address).expect("global"), true);
    }
    let expected = [range.start..range.start + PAGE_BYTES, range.end - PAGE_BYTES..range.end];
    assert_eq!(runs(&map, range), expected);
}

#[test]
fn the_summary_lies_behind_the_bits() {
    let map = map(0);
    assert_eq!(map.bits.as_ptr_range().end.addr(), map.summary.as_ptr().addr());
    assert_eq!(map.bits.len() as u64, map.summary.len() as u64 * WORDS_PER_PAGE);
}

#[test]
fn pages_are_born_at_their_home() {
    for (me, own, foreign) in [
        (
            0_u16,
            [Layout::heap(NodeId(0)).start, STATICS],
            [Layout::stacks(NodeId(2)).start, Layout::heap(NodeId(1)).start],
        ),
        (
            1,
            [Layout::threads(NodeId(1)).end - 1, Layout::stacks(NodeId(1)).start],
            [Layout::heap(NodeId(0)).start, STATICS],
        ),
    ] {
        let map = map(me);
        assert!(own.iter().all(|&address| map.is_own(address)));
        assert!(!foreign.iter().any(|&address| map.is_own(address)));
        let homes = (0..7).map(|number| map.is_own(stripe(&map, number)));
        assert!(homes.eq((0..7).map(|number| number % 3 == me)), "stripes go round the nodes");
    }
}

#[test]
fn every_global_page_has_a_bit_of_its_own() {
    let map = map(0);
    let mut all: Vec<_> = [0, 1, 2]
        .into_iter()
        .flat_map(|node| {
            [Layout::heap(NodeId(node)), Layout::stacks(NodeId(node)), Layout::threads(NodeId(node))]
        })
        .flat_map(|range| [range.start, range.end - PAGE_BYTES])
        .chain([STATICS, STATICS + 3 * PAGE_BYTES])
        .chain([map.layout.striped().start, map.layout.striped().end - PAGE_BYTES])
        .map(|address| map.index(address).expect("global"))
        .collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
    assert!(all.iter().all(|index| ((index / BITS) as usize) < map.bits.len()));
    assert_eq!(map.index(STATICS + 4 * PAGE_BYTES), None);
}
