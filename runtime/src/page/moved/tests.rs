//! The map of moved pages: borders of words and of kinds of memory.

use super::*;

const STATICS: u64 = 0x5555_5600_0000;

fn map(me: u16) -> Map {
    let layout = Layout::new(3, [STATICS..STATICS + 4 * PAGE_BYTES, 0..0]);
    let words = (3 * (PARTITION_BYTES / PAGE_BYTES) / BITS + WORDS_PER_PAGE) as usize;
    let bits = zeroed(words).expect("a mapping");
    let summary = zeroed(words / WORDS_PER_PAGE as usize).expect("a mapping");
    Map { me: NodeId(me), layout, bits, summary }
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
fn pages_are_born_at_their_home() {
    for (me, own, foreign) in [
        (
            0,
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
        .map(|address| map.index(address).expect("global"))
        .collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
    assert!(all.iter().all(|index| ((index / BITS) as usize) < map.bits.len()));
    assert_eq!(map.index(STATICS + 4 * PAGE_BYTES), None);
}
