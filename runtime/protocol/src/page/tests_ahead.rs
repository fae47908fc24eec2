//! Tables of ranges that come home together.

use dstd_addr::{NodeId, PageNo};

use super::tests::{
    RAN, RESIDENCE, WATCH, bounded, exclusive, fault, got, grant, page, reach, request, row, send, shared,
    upgrade, walking,
};
use super::*;
use crate::Message;

fn fetch(first: PageNo, count: u16, exclusive: bool) -> Message {
    Message::PageFetch { first, count, exclusive }
}

fn back(first: PageNo, count: u16, exclusive: bool) -> Message {
    Message::PageReturn { first, count, exclusive }
}

fn pass(first: PageNo, count: u16, exclusive: bool, to: u16) -> Message {
    Message::PagePass { first, count, exclusive, to: NodeId(to) }
}

fn installed(first: PageNo, count: u16) -> Message {
    Message::PageInstalled { first, count }
}

fn invalidate(first: PageNo, count: u16) -> Message {
    Message::PageInvalidate { first, count }
}

fn invalidated(first: PageNo, count: u16) -> Message {
    Message::PageInvalidated { first, count }
}

fn install(first: PageNo, count: u16, writable: bool) -> Output {
    Output::Install { first, count, writable, skip: 0 }
}

fn read_only(first: PageNo, count: u16) -> Output {
    install(first, count, false)
}

fn own(index: u64) -> PageNo {
    page(0, index)
}

/// Home of pages 0 to 7, all of which node 1 can write.
fn given_away() -> PageEngine {
    let mut home = bounded(8, None);
    reach(&mut home, 0, got(1, request(own(0), 8, true)));
    home
}

/// Home of pages 0 to 7, which the nodes of `readers` have copies of.
fn lent(readers: &[u16]) -> PageEngine {
    let mut home = bounded(8, None);
    for &reader in readers {
        reach(&mut home, 0, got(reader, request(own(0), 8, false)));
    }
    home
}

#[test]
fn a_walk_of_the_home_fetches_more_and_more_at_once() {
    for write in [false, true] {
        let mut home = given_away();
        for (first, count) in [(0, 1), (1, 2), (3, 4), (7, 1)] {
            let (first, asked) = (own(first), send(1, fetch(own(first), count, write), Body::None));
            row(&mut home, 0, fault(first, write), &[asked]);
            row(&mut home, 0, got(1, back(first, count, write)), &[install(first, count, write)]);
        }
        let directory = if write { exclusive(0) } else { shared([0, 1]) };
        assert!((0..8).all(|index| home.directory(own(index)) == directory));
        let counters = home.counters();
        assert_eq!((counters.fetches, counters.taken_ahead, counters.pages_ahead), (4, 4, 4));
        assert!(home.is_idle());
    }
}

#[test]
fn a_walk_of_the_home_over_lent_pages_invalidates_ranges() {
    let mut home = lent(&[1, 2]);
    reach(&mut home, 0, fault(own(0), true));
    reach(&mut home, 0, got(1, invalidated(own(0), 1)));
    row(&mut home, 0, got(2, invalidated(own(0), 1)), &[Output::Upgrade { first: own(0), count: 1 }]);
    let asked = [1, 2].map(|node| send(node, invalidate(own(1), 2), Body::None));
    row(&mut home, 0, fault(own(1), true), &asked);
    row(&mut home, 0, got(1, invalidated(own(1), 2)), &[]);
    row(&mut home, 0, got(2, invalidated(own(1), 2)), &[Output::Upgrade { first: own(1), count: 2 }]);
    assert_eq!([1, 2].map(|index| home.directory(own(index))), [exclusive(0); 2]);
    // Only the touched page has its residence.
    let given = [
        Output::Protect { first: own(2), count: 1 },
        send(3, grant(own(2), 1, true), Body::Pages),
        Output::Unmap { first: own(2), count: 1 },
    ];
    row(&mut home, 1, got(3, request(own(2), 1, true)), &given);
    row(&mut home, 1, got(3, request(own(1), 1, true)), &[]);
    assert_eq!(home.deadline(), Some(RESIDENCE));
}

#[test]
fn a_window_of_another_node_is_passed_whole() {
    for write in [false, true] {
        let mut home = given_away();
        let asked = [send(1, pass(own(2), 3, write, 2), Body::None)];
        row(&mut home, 0, got(2, request(own(2), 3, write)), &asked);
        if !write {
            let passed = Message::PagePassed { first: own(2), count: 3, writable: false };
            row(&mut home, 0, got(1, passed), &[install(own(2), 3, false)]);
        }
        assert!((2..5).all(|index| home.is_busy(own(index))));
        row(&mut home, 0, got(2, installed(own(2), 3)), &[]);
        assert!(home.is_idle());
        let directory = if write { exclusive(2) } else { shared([0, 1, 2]) };
        assert!((2..5).all(|index| home.directory(own(index)) == directory));
        assert_eq!(home.directory(own(5)), exclusive(1));
    }
}

#[test]
fn a_window_of_upgrades_costs_one_invalidation_a_sharer() {
    let mut home = lent(&[1, 2, 3]);
    let asked = [1, 3].map(|node| send(node, invalidate(own(0), 8), Body::None));
    row(&mut home, 0, got(2, request(own(0), 8, true)), &asked);
    row(&mut home, 0, got(3, invalidated(own(0), 8)), &[]);
    let raised = [send(2, upgrade(own(0), 8), Body::None), Output::Unmap { first: own(0), count: 8 }];
    row(&mut home, 0, got(1, invalidated(own(0), 8)), &raised);
    assert_eq!(home.counters().invalidations, 2);
}

#[test]
fn answers_that_come_apart_are_granted_as_far_as_they_go() {
    // The first page alone: the rest is at home when it is asked for again.
    let mut home = given_away();
    reach(&mut home, 0, got(2, request(own(0), 4, true)));
    row(&mut home, 0, got(2, installed(own(0), 1)), &[]);
    row(&mut home, 0, got(2, request(own(1), 3, true)), &[]);
    let granted = [
        install(own(1), 3, true),
        Output::Protect { first: own(1), count: 3 },
        send(2, grant(own(1), 3, true), Body::Pages),
        Output::Unmap { first: own(1), count: 3 },
    ];
    row(&mut home, 0, got(1, back(own(1), 3, true)), &granted);

    // The rest first: it waits at home for nobody.
    let mut home = given_away();
    reach(&mut home, 0, got(2, request(own(0), 3, false)));
    row(&mut home, 0, got(1, back(own(1), 2, false)), &[install(own(1), 2, false)]);
    row(&mut home, 0, got(3, request(own(2), 1, false)), &[send(3, grant(own(2), 1, false), Body::Pages)]);
    row(&mut home, 0, got(2, installed(own(0), 1)), &[]);
    let passed = Message::PagePassed { first: own(0), count: 1, writable: false };
    row(&mut home, 0, got(1, passed), &[install(own(0), 1, false)]);
    assert_eq!(home.directory(own(0)), shared([0, 1, 2]));
    assert_eq!([1, 2].map(|index| home.directory(own(index))), [shared([0, 1]), shared([0, 1, 3])]);
}

#[test]
fn an_eviction_and_a_discard_meet_pages_ahead() {
    let mut home = given_away();
    reach(&mut home, 0, fault(own(0), false));
    reach(&mut home, 0, got(1, back(own(0), 1, false)));
    let asked = send(1, fetch(own(1), 2, false), Body::None);
    row(&mut home, 0, fault(own(1), false), &[asked]);
    row(&mut home, 0, Input::Discard { first: own(2), count: 1, token: 7 }, &[]);
    let fresh =
        [install(own(2), 1, true), Output::Fresh { first: own(2), count: 1 }, Output::Discarded { token: 7 }];
    let evicted = Message::PageEvict { first: own(2), count: 1, exclusive: true };
    row(&mut home, 0, got(1, evicted), &fresh);
    row(&mut home, 0, got(1, back(own(1), 1, false)), &[install(own(1), 1, false)]);
    assert!(home.is_idle());
}

#[test]
fn a_thread_that_touches_a_page_ahead_waits_for_it() {
    let mut home = given_away();
    reach(&mut home, 0, fault(own(0), true));
    reach(&mut home, 0, got(1, back(own(0), 1, true)));
    reach(&mut home, 0, fault(own(1), true));
    row(&mut home, 0, fault(own(2), true), &[]);
    let resolve = Output::Resolve { page: own(2), writable: true };
    row(&mut home, 5, got(1, back(own(1), 2, true)), &[install(own(1), 2, true), resolve]);
    // It counts as touched: it stays.
    row(&mut home, 6, got(1, request(own(2), 1, true)), &[]);
    assert_eq!(home.deadline(), Some(5 + RESIDENCE));
}

#[test]
fn a_holder_answers_a_range_at_once_apart_from_pages_in_residence() {
    let theirs = |index| page(1, index);
    let mut node = bounded(8, None);
    for (first, count) in [(0, 1), (1, 2), (3, 4)] {
        reach(&mut node, 0, fault(theirs(first), true));
        reach(&mut node, 0, got(1, grant(theirs(first), count, true)));
    }
    // Pages 0, 1 and 3 were touched, the others are here ahead of it.
    let gone = |first, count| {
        [
            Output::Protect { first: theirs(first), count },
            send(1, back(theirs(first), count, true), Body::Pages),
            Output::Unmap { first: theirs(first), count },
        ]
    };
    let at_once: Vec<_> = [gone(2, 1), gone(4, 3)].concat();
    row(&mut node, 1, got(1, fetch(theirs(1), 6, true)), &at_once);
    row(&mut node, RESIDENCE, Input::Tick, &[WATCH]);
    row(&mut node, RESIDENCE, RAN, &[gone(1, 1), gone(3, 1)].concat());
    assert!(node.is_idle());
}

#[test]
fn answers_to_what_was_not_asked_together_are_refused() {
    let mut home = given_away();
    // Two requests, not one with a page ahead.
    reach(&mut home, 0, fault(own(0), true));
    reach(&mut home, 0, fault(own(4), true));
    reach(&mut home, 0, got(2, request(own(5), 2, true)));
    let unasked = |page, kind| Err(Violation::Unasked { from: NodeId(1), page, kind });
    let kind = crate::MessageKind::PageReturn;
    assert_eq!(home.clone().step(0, got(1, back(own(4), 2, true)), &mut Vec::new()), unasked(own(5), kind));
    // What goes to another node does not come home.
    assert_eq!(home.clone().step(0, got(1, back(own(5), 1, true)), &mut Vec::new()), unasked(own(5), kind));
    let mut home = lent(&[1]);
    reach(&mut home, 0, got(2, request(own(0), 2, true)));
    let refused = home.step(0, got(1, invalidated(own(0), 3)), &mut Vec::new());
    let kind = crate::MessageKind::PageInvalidated;
    assert_eq!(refused, unasked(own(2), kind));
}

#[test]
fn what_waits_for_a_page_that_is_taken_ahead_waits_on() {
    let mut home = given_away();
    reach(&mut home, 0, got(2, request(own(0), 2, true)));
    // Node 3 waits for the first page and one behind it, node 1 for the second.
    reach(&mut home, 0, got(3, request(own(0), 2, true)));
    reach(&mut home, 0, got(1, request(own(1), 1, true)));
    row(&mut home, 0, got(2, installed(own(0), 2)), &[send(2, pass(own(0), 2, true, 3), Body::None)]);
    let next = send(3, pass(own(1), 1, true, 1), Body::None);
    row(&mut home, 0, got(3, installed(own(0), 2)), &[next]);
    assert_eq!([0, 1].map(|index| home.directory(own(index))), [exclusive(3); 2]);
}

#[test]
fn a_walk_in_full_stride_has_several_requests_under_way() {
    let theirs = |index| page(1, index);
    let asked = |first, count| send(1, request(theirs(first), count, false), Body::None);
    let mut node = walking(2, 6, None);
    for (first, count) in [(0, 1), (1, 2)] {
        row(&mut node, 0, fault(theirs(first), false), &[asked(first, count)]);
        reach(&mut node, 0, got(1, grant(theirs(first), count, false)));
    }
    row(&mut node, 0, fault(theirs(3), false), &[asked(3, 2), asked(5, 2)]);
    // It waits for the second request: one more leaves, and one for each that it comes to.
    row(&mut node, 0, got(1, grant(theirs(3), 2, false)), &[read_only(theirs(3), 2)]);
    row(&mut node, 0, fault(theirs(5), false), &[asked(7, 2), asked(9, 2)]);
    row(&mut node, 0, fault(theirs(5), false), &[]);
    row(&mut node, 0, got(1, grant(theirs(5), 2, false)), &[read_only(theirs(5), 2)]);
    row(&mut node, 0, fault(theirs(7), false), &[asked(11, 2)]);
    assert_eq!(node.counters().asked_ahead, 6);
    // What was asked for ahead and not granted waits for somebody to touch it.
    reach(&mut node, 0, got(1, grant(theirs(7), 2, false)));
    row(&mut node, 0, got(1, grant(theirs(9), 1, false)), &[read_only(theirs(9), 1)]);
    assert!(!node.is_pending(theirs(10)) && node.is_pending(theirs(11)));
}

#[test]
fn a_walk_asks_only_for_what_it_lacks_in_requests_of_one_state() {
    let theirs = |index| page(1, index);
    let asked = |first, count| send(1, request(theirs(first), count, true), Body::None);
    let mut node = walking(4, 8, None);
    // Pages 5 and 6 are copies, page 8 may be written.
    reach(&mut node, 0, fault(theirs(5), false));
    reach(&mut node, 0, got(1, grant(theirs(5), 1, false)));
    reach(&mut node, 0, fault(theirs(6), false));
    reach(&mut node, 0, got(1, grant(theirs(6), 1, false)));
    reach(&mut node, 0, fault(theirs(8), true));
    reach(&mut node, 0, got(1, grant(theirs(8), 1, true)));
    for (first, count) in [(0, 1), (1, 2)] {
        row(&mut node, 0, fault(theirs(first), true), &[asked(first, count)]);
        reach(&mut node, 0, got(1, grant(theirs(first), count, true)));
    }
    row(&mut node, 0, fault(theirs(3), true), &[asked(3, 2), asked(5, 2)]);
    reach(&mut node, 0, got(1, grant(theirs(3), 2, true)));
    reach(&mut node, 0, got(1, upgrade(theirs(5), 2)));
    row(&mut node, 0, fault(theirs(7), true), &[asked(7, 1), asked(9, 4), asked(13, 2)]);
}

#[test]
fn a_walk_of_the_home_has_several_ranges_under_way() {
    let mut home = walking(2, 6, None);
    for first in (0..16).step_by(2) {
        reach(&mut home, 0, got(1, request(own(first), 2, true)));
    }
    let asked = |first, count| send(1, fetch(own(first), count, false), Body::None);
    for (first, count) in [(0, 1), (1, 2)] {
        row(&mut home, 0, fault(own(first), false), &[asked(first, count)]);
        reach(&mut home, 0, got(1, back(own(first), count, false)));
    }
    row(&mut home, 0, fault(own(3), false), &[asked(3, 2), asked(5, 2)]);
    row(&mut home, 0, got(1, back(own(3), 2, false)), &[install(own(3), 2, false)]);
    row(&mut home, 0, fault(own(5), false), &[asked(7, 2), asked(9, 2)]);
    // Who waits for a page ahead finds it good enough when it has come, and then it stays.
    let resolve = Output::Resolve { page: own(5), writable: false };
    row(&mut home, 5, got(1, back(own(5), 2, false)), &[install(own(5), 2, false), resolve]);
    row(&mut home, 5, fault(own(7), false), &[asked(11, 2)]);
    for first in [7, 9, 11] {
        reach(&mut home, 5, got(1, back(own(first), 2, false)));
    }
    assert!(home.is_idle() && (0..13).all(|index| home.directory(own(index)) == shared([0, 1])));
}
