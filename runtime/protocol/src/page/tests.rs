//! Tables: a state reached by inputs, one input, the outputs, the state after it.

use dstd_addr::{GlobalAddr, Layout, NodeId, NodeSet, PageNo};

use super::progress::PATIENCE;
use super::*;
use crate::{Message, MessageKind};

const NODES: u16 = 4;
pub(super) const RESIDENCE: u64 = 100;
const ME: NodeId = NodeId(0);

/// Page `index` of node `rank`'s heap.
pub(super) fn page(rank: u16, index: u64) -> PageNo {
    GlobalAddr(Layout::heap(NodeId(rank)).start).page().plus(index)
}

/// SplitMix64.
pub(super) fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

fn engine(window_max: u16) -> PageEngine {
    bounded(window_max, None)
}

/// An engine of node 0 that keeps few copies.
pub(super) fn bounded(window_max: u16, copies_max: Option<u32>) -> PageEngine {
    walking(window_max, window_max, copies_max)
}

/// An engine of node 0 whose walks have several requests under way.
pub(super) fn walking(window_max: u16, ahead_max: u16, copies_max: Option<u32>) -> PageEngine {
    let statics = 0x5555_5600_0000;
    let layout = Layout::new(NODES, [statics..statics + 0x4000, 0..0]);
    PageEngine::new(Config { me: ME, layout, residence_ns: RESIDENCE, window_max, ahead_max, copies_max })
}

pub(super) fn fault(page: PageNo, write: bool) -> Input {
    Input::Fault { page, write, thread: 1 }
}

/// What gives `page` back to its home `rank`.
fn gone(rank: u16, page: PageNo) -> [Output; 3] {
    let back = send(rank, Message::PageReturn { first: page, count: 1, exclusive: true }, Body::Pages);
    [Output::Protect { first: page, count: 1 }, back, Output::Unmap { first: page, count: 1 }]
}

/// The thread that [`fault`] is about.
pub(super) const WATCH: Output = Output::Watch { thread: 1 };
/// It has run.
pub(super) const RAN: Input = Input::Ran { thread: 1, late: false };
const RAN_LATE: Input = Input::Ran { thread: 1, late: true };

pub(super) fn got(from: u16, message: Message) -> Input {
    Input::Message { from: NodeId(from), message }
}

pub(super) fn send(to: u16, message: Message, body: Body) -> Output {
    Output::Send { to: NodeId(to), message, body }
}

pub(super) fn request(first: PageNo, count: u16, write: bool) -> Message {
    Message::PageRequest { first, count, write }
}

pub(super) fn grant(first: PageNo, count: u16, writable: bool) -> Message {
    Message::PageGrant { first, count, writable, upgrade: false }
}

pub(super) fn upgrade(first: PageNo, count: u16) -> Message {
    Message::PageGrant { first, count, writable: true, upgrade: true }
}

pub(super) fn shared<const N: usize>(ranks: [u16; N]) -> Option<Directory> {
    let set = ranks.into_iter().fold(NodeSet::EMPTY, |set, rank| set.with(NodeId(rank)));
    Some(Directory::Shared(set))
}

pub(super) fn exclusive(rank: u16) -> Option<Directory> {
    Some(Directory::Exclusive(NodeId(rank)))
}

/// One row of a table: at this time, this input gives these outputs.
pub(super) fn row(engine: &mut PageEngine, now_ns: u64, input: Input, expected: &[Output]) {
    let mut out = Vec::new();
    engine.step(now_ns, input, &mut out).unwrap_or_else(|violation| panic!("{input:?}: {violation}"));
    assert_eq!(out, expected, "after {input:?} at {now_ns}");
}

/// Brings the engine into a state; the outputs are another test's.
pub(super) fn reach(engine: &mut PageEngine, now_ns: u64, input: Input) {
    let stepped = engine.step(now_ns, input, &mut Vec::new());
    stepped.unwrap_or_else(|violation| panic!("{input:?}: {violation}"));
}

#[test]
fn an_own_page_that_was_never_shared_is_writable() {
    let mut home = engine(1);
    let p = page(0, 3);
    for write in [false, true] {
        row(&mut home, 0, fault(p, write), &[Output::Resolve { page: p, writable: true }]);
    }
    assert_eq!((home.local(p), home.directory(p)), (Local::Writable, exclusive(0)));
    assert_eq!(home.touched().count(), 0);
    assert!(home.is_idle());
    assert_eq!(home.deadline(), None);
}

#[test]
fn home_lends_its_own_page() {
    let p = page(0, 3);
    let (first, count) = (p, 1);
    let mut home = engine(1);
    let lent = [Output::Protect { first, count }, send(1, grant(p, 1, false), Body::Pages)];
    row(&mut home, 0, got(1, request(p, 1, false)), &lent);
    assert_eq!((home.local(p), home.directory(p)), (Local::ReadOnly, shared([0, 1])));
    row(&mut home, 0, got(2, request(p, 1, false)), &[send(2, grant(p, 1, false), Body::Pages)]);
    assert_eq!(home.directory(p), shared([0, 1, 2]));

    let mut home = engine(1);
    let given = [
        Output::Protect { first, count },
        send(1, grant(p, 1, true), Body::Pages),
        Output::Unmap { first, count },
    ];
    row(&mut home, 0, got(1, request(p, 1, true)), &given);
    assert_eq!((home.local(p), home.directory(p)), (Local::Absent, exclusive(1)));
}

#[test]
fn home_reads_back_a_page_that_is_exclusive_elsewhere() {
    let p = page(0, 3);
    let mut home = engine(1);
    reach(&mut home, 0, got(1, request(p, 1, true)));
    let fetch = Message::PageFetch { first: p, count: 1, exclusive: false };
    row(&mut home, 0, fault(p, false), &[send(1, fetch, Body::None)]);
    assert!(home.is_busy(p) && home.is_pending(p));
    row(&mut home, 0, fault(p, false), &[]);
    row(&mut home, 0, fault(p, true), &[]);
    let back = got(1, Message::PageReturn { first: p, count: 1, exclusive: false });
    row(&mut home, 5, back, &[Output::Install { first: p, count: 1, writable: false, skip: 0 }]);
    assert_eq!((home.local(p), home.directory(p)), (Local::ReadOnly, shared([0, 1])));
    let counters = home.counters();
    assert_eq!((counters.faults_read, counters.faults_joined, counters.fetches), (1, 2, 1));
    assert!(home.is_idle());
}

#[test]
fn home_upgrades_its_own_copy() {
    let p = page(0, 3);
    let mut home = engine(1);
    for from in [1, 2] {
        reach(&mut home, 0, got(from, request(p, 1, false)));
    }
    let drop = Message::PageInvalidate { first: p, count: 1 };
    row(&mut home, 0, fault(p, true), &[send(1, drop, Body::None), send(2, drop, Body::None)]);
    row(&mut home, 0, fault(p, false), &[Output::Resolve { page: p, writable: false }]);
    row(&mut home, 0, got(2, Message::PageInvalidated { first: p, count: 1 }), &[]);
    assert_eq!(home.directory(p), shared([0, 1]));
    let dropped = got(1, Message::PageInvalidated { first: p, count: 1 });
    row(&mut home, 0, dropped, &[Output::Upgrade { first: p, count: 1 }]);
    assert_eq!((home.local(p), home.directory(p)), (Local::Writable, exclusive(0)));
    assert_eq!((home.counters().faults_upgrade, home.counters().invalidations), (1, 2));
}

#[test]
fn home_decides_between_bytes_and_upgrade() {
    let p = page(0, 3);
    let unmap = Output::Unmap { first: p, count: 1 };
    let mut home = engine(1);
    reach(&mut home, 0, got(1, request(p, 1, false)));
    row(&mut home, 0, got(1, request(p, 1, true)), &[send(1, upgrade(p, 1), Body::None), unmap]);
    assert_eq!(home.directory(p), exclusive(1));

    let mut home = engine(1);
    reach(&mut home, 0, got(1, request(p, 1, false)));
    let drop = Message::PageInvalidate { first: p, count: 1 };
    row(&mut home, 0, got(2, request(p, 1, true)), &[send(1, drop, Body::None)]);
    let given = [send(2, grant(p, 1, true), Body::Pages), unmap];
    row(&mut home, 0, got(1, Message::PageInvalidated { first: p, count: 1 }), &given);
    assert_eq!((home.local(p), home.directory(p)), (Local::Absent, exclusive(2)));
}

#[test]
fn requests_for_a_busy_page_are_served_in_order() {
    let p = page(0, 3);
    let mut home = engine(1);
    reach(&mut home, 0, got(1, request(p, 1, true)));
    let fetch = |exclusive| Message::PageFetch { first: p, count: 1, exclusive };
    row(&mut home, 0, fault(p, true), &[send(1, fetch(true), Body::None)]);
    row(&mut home, 0, got(3, request(p, 1, true)), &[]);
    row(&mut home, 0, got(2, request(p, 1, false)), &[]);
    let back = got(1, Message::PageReturn { first: p, count: 1, exclusive: true });
    row(&mut home, 0, back, &[Output::Install { first: p, count: 1, writable: true, skip: 0 }]);
    let given = [
        Output::Protect { first: p, count: 1 },
        send(3, grant(p, 1, true), Body::Pages),
        Output::Unmap { first: p, count: 1 },
        send(3, Message::PagePass { first: p, count: 1, exclusive: false, to: NodeId(2) }, Body::None),
    ];
    row(&mut home, RESIDENCE, Input::Tick, &[WATCH]);
    row(&mut home, RESIDENCE, RAN, &given);
    assert_eq!(home.directory(p), exclusive(3));
}

#[test]
fn home_keeps_a_page_of_its_own_fault_for_the_residence() {
    let p = page(0, 3);
    let mut home = engine(1);
    reach(&mut home, 0, got(1, request(p, 1, true)));
    reach(&mut home, 0, fault(p, true));
    let back = got(1, Message::PageReturn { first: p, count: 1, exclusive: true });
    row(&mut home, 10, back, &[Output::Install { first: p, count: 1, writable: true, skip: 0 }]);
    row(&mut home, 20, got(2, request(p, 1, false)), &[]);
    assert_eq!((home.deadline(), home.local(p)), (Some(10 + RESIDENCE), Local::Writable));
    row(&mut home, 9 + RESIDENCE, Input::Tick, &[]);
    let lent = [Output::Protect { first: p, count: 1 }, send(2, grant(p, 1, false), Body::Pages)];
    row(&mut home, 10 + RESIDENCE, Input::Tick, &[WATCH]);
    assert_eq!(home.deadline(), Some(10 + (1 + PATIENCE) * RESIDENCE));
    row(&mut home, 200, RAN_LATE, &[]);
    row(&mut home, 199 + RESIDENCE, Input::Tick, &[]);
    row(&mut home, 200 + RESIDENCE, Input::Tick, &lent);
    assert_eq!((home.deadline(), home.directory(p)), (None, shared([0, 2])));
    assert_eq!(home.counters().residence_waits, 2);
}

#[test]
fn a_foreign_page_is_asked_for_once_and_stays_for_the_residence() {
    let p = page(1, 3);
    let mut node = engine(1);
    assert_eq!((node.local(p), node.directory(p)), (Local::Absent, None));
    row(&mut node, 0, fault(p, false), &[send(1, request(p, 1, false), Body::None)]);
    row(&mut node, 0, fault(p, false), &[]);
    row(&mut node, 0, fault(p, true), &[]);
    let install = Output::Install { first: p, count: 1, writable: false, skip: 0 };
    row(&mut node, 10, got(1, grant(p, 1, false)), &[install]);
    row(&mut node, 10, fault(p, false), &[Output::Resolve { page: p, writable: false }]);
    row(&mut node, 10, got(1, Message::PageInvalidate { first: p, count: 1 }), &[]);
    assert_eq!(node.deadline(), Some(10 + RESIDENCE));
    // A copy that must go soon may be asked to be upgraded; the home decides what that means.
    row(&mut node, 20, fault(p, true), &[send(1, request(p, 1, true), Body::None)]);
    let dropped = send(1, Message::PageInvalidated { first: p, count: 1 }, Body::None);
    row(&mut node, 10 + RESIDENCE, Input::Tick, &[Output::Unmap { first: p, count: 1 }, dropped]);
    assert_eq!(node.local(p), Local::Absent);
    let install = Output::Install { first: p, count: 1, writable: true, skip: 0 };
    row(&mut node, 300, got(1, grant(p, 1, true)), &[install]);
    let counters = node.counters();
    assert_eq!((counters.faults_read, counters.faults_upgrade, counters.faults_write), (1, 1, 0));
}

#[test]
fn a_page_stays_while_a_thread_waits_for_a_higher_one() {
    let (low, high) = (page(1, 3), page(2, 3));
    let install = |p| Output::Install { first: p, count: 1, writable: true, skip: 0 };
    let fetch = |p| Message::PageFetch { first: p, count: 1, exclusive: true };

    let mut node = engine(1);
    reach(&mut node, 0, fault(low, true));
    reach(&mut node, 0, got(1, grant(low, 1, true)));
    reach(&mut node, 0, fault(high, true));
    row(&mut node, 0, got(1, fetch(low)), &[]);
    row(&mut node, RESIDENCE, Input::Tick, &[]);
    assert_eq!(node.deadline(), Some((1 + PATIENCE) * RESIDENCE));
    row(&mut node, 500, got(2, grant(high, 1, true)), &[install(high)]);
    row(&mut node, 499 + RESIDENCE, Input::Tick, &[]);
    row(&mut node, 500 + RESIDENCE, Input::Tick, &[WATCH]);
    row(&mut node, 700, RAN_LATE, &[]);
    row(&mut node, 700 + RESIDENCE, Input::Tick, &gone(1, low));
    assert!(node.is_idle());

    // It does not stay for lower ones, nor for ever.
    reach(&mut node, 1_000, fault(low, true));
    row(&mut node, 1_000, got(2, fetch(high)), &gone(2, high));
    reach(&mut node, 1_000, got(1, grant(low, 1, true)));
    reach(&mut node, 1_000, fault(high, true));
    row(&mut node, 2_000, got(1, fetch(low)), &[]);
    row(&mut node, 1_999 + PATIENCE * RESIDENCE, Input::Tick, &[]);
    row(&mut node, 2_000 + PATIENCE * RESIDENCE, Input::Tick, &gone(1, low));
}

#[test]
fn the_home_keeps_its_own_page_while_a_thread_waits_for_a_higher_one() {
    let (low, high) = (page(0, 3), page(2, 3));
    let mut home = engine(1);
    reach(&mut home, 0, fault(low, false));
    reach(&mut home, 0, fault(high, false));
    row(&mut home, 0, got(1, request(low, 1, false)), &[]);
    let install = Output::Install { first: high, count: 1, writable: false, skip: 0 };
    row(&mut home, 10, got(2, grant(high, 1, false)), &[install]);
    assert_eq!((home.deadline(), home.local(low)), (Some(10 + RESIDENCE), Local::Writable));
    let lent = [Output::Protect { first: low, count: 1 }, send(1, grant(low, 1, false), Body::Pages)];
    row(&mut home, 10 + RESIDENCE, Input::Tick, &[WATCH]);
    row(&mut home, 300, RAN_LATE, &[]);
    row(&mut home, 300 + RESIDENCE, Input::Tick, &lent);
    assert!(home.is_idle());
}

#[test]
fn a_page_goes_when_its_threads_have_got_beyond_it() {
    let p = page(1, 3);
    let fetch = |p| Message::PageFetch { first: p, count: 1, exclusive: true };
    let [one, other] = [1, 2].map(|thread| Input::Retired { thread });
    let mut node = engine(1);
    reach(&mut node, 0, fault(p, true));
    // One that waits has not got beyond it.
    row(&mut node, 0, one, &[]);
    reach(&mut node, 0, got(1, grant(p, 1, true)));
    row(&mut node, 1, got(1, fetch(p)), &[]);
    row(&mut node, 2, other, &[]);
    assert_eq!(node.deadline(), Some(RESIDENCE));
    row(&mut node, 3, one, &gone(1, p));
    assert!(node.is_idle());

    // It stays for another thread that it came for.
    let mut node = engine(1);
    reach(&mut node, 0, fault(p, true));
    reach(&mut node, 0, Input::Fault { page: p, write: true, thread: 2 });
    reach(&mut node, 0, got(1, grant(p, 1, true)));
    row(&mut node, 1, one, &[]);
    row(&mut node, 2, got(1, fetch(p)), &[Output::Watch { thread: 2 }]);
    row(&mut node, 3, other, &gone(1, p));
    assert!(node.is_idle());
}

#[test]
fn an_owner_gives_back_at_once_what_came_for_a_thread_that_goes_on() {
    let p = page(1, 3);
    for (exclusive, after) in [(false, Local::ReadOnly), (true, Local::Absent)] {
        let mut node = engine(1);
        reach(&mut node, 0, fault(p, true));
        reach(&mut node, 0, got(1, grant(p, 1, true)));
        let back = send(1, Message::PageReturn { first: p, count: 1, exclusive }, Body::Pages);
        let mut outputs = vec![Output::Protect { first: p, count: 1 }, back];
        if exclusive {
            outputs.push(Output::Unmap { first: p, count: 1 });
        }
        // It has run, since it faults again; the page is the higher one.
        reach(&mut node, 0, fault(page(1, 2), true));
        row(&mut node, RESIDENCE, got(1, Message::PageFetch { first: p, count: 1, exclusive }), &outputs);
        assert_eq!((node.local(p), node.deadline()), (after, None));
    }
}

#[test]
fn sequential_faults_ask_for_more_and_get_what_home_has() {
    let p = |index| page(1, index);
    let mut node = engine(8);
    for (first, count) in [(0, 1), (1, 2), (3, 4)] {
        row(&mut node, 0, fault(p(first), false), &[send(1, request(p(first), count, false), Body::None)]);
        let install = Output::Install { first: p(first), count, writable: false, skip: 0 };
        row(&mut node, 0, got(1, grant(p(first), count, false)), &[install]);
    }
    // Pages 1 and 3 were faults, 2 and 4..=6 are there ahead of their touch and need not stay.
    assert_eq!(node.counters().pages_ahead, 4);
    let dropped = send(1, Message::PageInvalidated { first: p(2), count: 1 }, Body::None);
    let unmap = Output::Unmap { first: p(2), count: 1 };
    row(&mut node, 1, got(1, Message::PageInvalidate { first: p(2), count: 1 }), &[unmap, dropped]);
}

#[test]
fn ungranted_pages_are_asked_for_again_when_a_thread_waits_for_them() {
    let p = |index| page(1, index);
    let mut node = engine(4);
    reach(&mut node, 0, fault(p(0), false));
    reach(&mut node, 0, got(1, grant(p(0), 1, false)));
    row(&mut node, 0, fault(p(1), false), &[send(1, request(p(1), 2, false), Body::None)]);
    reach(&mut node, 0, got(1, grant(p(1), 2, false)));
    row(&mut node, 0, fault(p(3), false), &[send(1, request(p(3), 4, false), Body::None)]);
    row(&mut node, 0, fault(p(5), true), &[]);
    let install = Output::Install { first: p(3), count: 1, writable: false, skip: 0 };
    let again = send(1, request(p(5), 1, true), Body::None);
    row(&mut node, 0, got(1, grant(p(3), 1, false)), &[install, again]);
    assert_eq!([4, 5, 6].map(|index| node.is_pending(p(index))), [false, true, false]);
    assert_eq!(node.counters().pages_ungranted, 3);
}

#[test]
fn a_window_ends_at_what_is_here_and_at_the_end_of_the_region() {
    let mut node = engine(8);
    let last = PageNo(Layout::heap(NodeId(1)).end / dstd_addr::PAGE_BYTES - 1);
    let before = PageNo(last.0 - 1);
    reach(&mut node, 0, fault(before, false));
    reach(&mut node, 0, got(1, grant(before, 1, false)));
    row(&mut node, 0, fault(last, false), &[send(1, request(last, 1, false), Body::None)]);

    let p = |index| page(1, index);
    reach(&mut node, 0, fault(p(2), false));
    reach(&mut node, 0, fault(p(0), false));
    row(&mut node, 0, fault(p(1), false), &[send(1, request(p(1), 1, false), Body::None)]);
}

#[test]
fn statics_come_one_by_one() {
    let layout = Layout::new(2, [0x5555_5600_0000..0x5555_5600_4000, 0..0]);
    let config =
        Config { me: NodeId(1), layout, residence_ns: 0, window_max: 8, ahead_max: 8, copies_max: None };
    let mut node = PageEngine::new(config);
    for index in 0..4 {
        let p = GlobalAddr(0x5555_5600_0000).page().plus(index);
        row(&mut node, 0, fault(p, true), &[send(0, request(p, 1, true), Body::None)]);
    }
}

#[test]
fn home_grants_a_prefix_it_has_itself() {
    let p = |index| page(0, index);
    let mut home = engine(8);
    reach(&mut home, 0, got(2, request(p(1), 1, false)));
    reach(&mut home, 0, got(2, request(p(4), 1, true)));
    let lent = [
        Output::Protect { first: p(0), count: 1 },
        Output::Protect { first: p(2), count: 2 },
        send(1, grant(p(0), 4, false), Body::Pages),
    ];
    row(&mut home, 0, got(1, request(p(0), 8, false)), &lent);
    assert_eq!(home.directory(p(3)), shared([0, 1]));
    assert_eq!(home.directory(p(4)), exclusive(2));
    assert_eq!(home.directory(p(5)), exclusive(0));
    // To write: pages 2 and 3 are node 1's and home's alone, page 1 is node 2's too.
    let raised = [send(1, upgrade(p(2), 2), Body::None), Output::Unmap { first: p(2), count: 2 }];
    row(&mut home, 0, got(1, request(p(2), 8, true)), &raised);
    let given = [
        Output::Protect { first: p(5), count: 3 },
        send(1, grant(p(5), 3, true), Body::Pages),
        Output::Unmap { first: p(5), count: 3 },
    ];
    row(&mut home, 0, got(1, request(p(5), 3, true)), &given);
}

#[test]
fn busy_pages_and_another_kind_of_grant_end_a_window() {
    let p = |index| page(0, index);
    let mut home = engine(8);
    reach(&mut home, 0, got(2, request(p(1), 1, false)));
    reach(&mut home, 0, got(3, request(p(1), 1, true)));
    assert!(home.is_busy(p(1)));
    let lent = [Output::Protect { first: p(0), count: 1 }, send(1, grant(p(0), 1, false), Body::Pages)];
    row(&mut home, 0, got(1, request(p(0), 2, false)), &lent);

    reach(&mut home, 0, got(1, request(p(5), 1, false)));
    let given = [
        Output::Protect { first: p(4), count: 1 },
        send(1, grant(p(4), 1, true), Body::Pages),
        Output::Unmap { first: p(4), count: 1 },
    ];
    row(&mut home, 0, got(1, request(p(4), 2, true)), &given);
    let raised = [send(1, upgrade(p(5), 1), Body::None), Output::Unmap { first: p(5), count: 1 }];
    row(&mut home, 0, got(1, request(p(5), 2, true)), &raised);
}

#[test]
fn pages_in_residence_at_home_end_a_window() {
    let p = |index| page(0, index);
    let mut home = engine(8);
    reach(&mut home, 0, got(2, request(p(1), 1, true)));
    reach(&mut home, 0, fault(p(1), true));
    reach(&mut home, 0, got(2, Message::PageReturn { first: p(1), count: 1, exclusive: true }));
    let lent = [Output::Protect { first: p(0), count: 1 }, send(1, grant(p(0), 1, false), Body::Pages)];
    row(&mut home, 1, got(1, request(p(0), 4, false)), &lent);
    // So does one whose thread has perhaps not run.
    let lent = [send(3, grant(p(0), 1, false), Body::Pages)];
    row(&mut home, RESIDENCE, got(3, request(p(0), 4, false)), &lent);
    reach(&mut home, RESIDENCE, Input::Retired { thread: 1 });
    let lent = [Output::Protect { first: p(1), count: 3 }, send(2, grant(p(0), 4, false), Body::Pages)];
    row(&mut home, RESIDENCE, got(2, request(p(0), 4, false)), &lent);
}

#[test]
fn what_no_sound_node_sends_is_refused() {
    use MessageKind as Kind;
    let (own, theirs) = (page(0, 1), page(1, 1));
    let nowhere = PageNo(5);
    let alias = PageNo(own.0 | 1 << 52);
    let (from, n1) = (NodeId(1), 1);
    let unasked = |page, kind| Violation::Unasked { from, page, kind };
    let not_held = |page, kind| Violation::NotHeld { from, page, kind };
    let wrong = |page, kind| Violation::WrongHome { from, page, kind };
    let unknown = |page| Violation::UnknownPage { from, page };
    let count = |first, count| Violation::BadCount { from, first, count };
    let end = PageNo(Layout::heap(ME).end / dstd_addr::PAGE_BYTES - 1);
    let fetch = |page| Message::PageFetch { first: page, count: 1, exclusive: true };
    let table = [
        (fault(nowhere, true), Violation::UnknownPage { from: ME, page: nowhere }),
        (got(0, request(own, 1, false)), Violation::UnknownSender { from: ME }),
        (got(NODES, request(own, 1, false)), Violation::UnknownSender { from: NodeId(NODES) }),
        (got(n1, Message::Free), Violation::NotForPages { from, kind: Kind::Free }),
        (got(n1, request(nowhere, 1, false)), unknown(nowhere)),
        (got(n1, request(alias, 1, false)), unknown(alias)),
        (got(n1, request(PageNo(u64::MAX), 4, false)), unknown(PageNo(u64::MAX))),
        (got(n1, request(theirs, 1, false)), wrong(theirs, Kind::PageRequest)),
        (got(n1, request(own, 0, false)), count(own, 0)),
        (got(n1, request(own, 9, false)), count(own, 9)),
        (got(n1, request(end, 2, false)), count(end, 2)),
        (
            got(n1, Message::PageReturn { first: own, count: 1, exclusive: true }),
            unasked(own, Kind::PageReturn),
        ),
        (got(n1, Message::PageReturn { first: nowhere, count: 1, exclusive: true }), unknown(nowhere)),
        (got(n1, Message::PageInvalidated { first: own, count: 1 }), unasked(own, Kind::PageInvalidated)),
        (got(n1, grant(theirs, 1, true)), unasked(theirs, Kind::PageGrant)),
        (got(n1, grant(own, 1, true)), wrong(own, Kind::PageGrant)),
        (got(n1, fetch(theirs)), not_held(theirs, Kind::PageFetch)),
        (got(n1, fetch(page(2, 0))), wrong(page(2, 0), Kind::PageFetch)),
        (
            got(n1, Message::PageInvalidate { first: theirs, count: 1 }),
            not_held(theirs, Kind::PageInvalidate),
        ),
    ];
    for (input, violation) in table {
        let mut engine = engine(8);
        let mut out = Vec::new();
        assert_eq!(engine.step(0, input, &mut out), Err(violation), "{input:?}");
        assert!(out.is_empty() && !violation.to_string().is_empty());
    }
}

#[test]
fn answers_and_requests_that_do_not_fit_the_state_are_refused() {
    let (own, theirs) = (page(0, 1), page(1, 1));
    let from = NodeId(1);
    let refuses = |before: &[Input], input: Input, violation: Violation| {
        let mut engine = engine(8);
        for &input in before {
            reach(&mut engine, 0, input);
        }
        assert_eq!(engine.step(0, input, &mut Vec::new()), Err(violation), "{input:?} after {before:?}");
    };
    let repeated = Violation::Repeated { from, page: own };
    for write in [false, true] {
        let input = got(1, request(own, 1, write));
        refuses(&[got(1, request(own, 1, true))], input, repeated);
        refuses(&[got(2, request(own, 1, true)), got(1, request(own, 1, true))], input, repeated);
    }
    refuses(&[got(1, request(own, 1, false))], got(1, request(own, 1, false)), repeated);
    let unasked = |page, kind| Violation::Unasked { from, page, kind };
    // The answer of the wrong node, or of the wrong sort.
    let busy = [got(2, request(own, 1, true)), got(3, request(own, 1, true))];
    let back = got(1, Message::PageReturn { first: own, count: 1, exclusive: true });
    refuses(&busy, back, unasked(own, MessageKind::PageReturn));
    let busy = [got(1, request(own, 1, true)), got(3, request(own, 1, false))];
    refuses(&busy, back, unasked(own, MessageKind::PageReturn));
    // Grants that are too long, not for what was asked, or for a copy that is not here.
    let asked = [fault(theirs, false)];
    let long = Violation::BadCount { from, first: theirs, count: 2 };
    refuses(&asked, got(1, grant(theirs, 2, false)), long);
    let kind = MessageKind::PageGrant;
    refuses(&asked, got(1, grant(theirs, 1, true)), unasked(theirs, kind));
    refuses(&[fault(theirs, true)], got(1, upgrade(theirs, 1)), unasked(theirs, kind));
    // A second revocation while the first waits for the residence.
    let held = [
        fault(theirs, false),
        got(1, grant(theirs, 1, false)),
        got(1, Message::PageInvalidate { first: theirs, count: 1 }),
    ];
    let kind = MessageKind::PageInvalidate;
    refuses(&held, held[2], Violation::NotHeld { from, page: theirs, kind });
}
