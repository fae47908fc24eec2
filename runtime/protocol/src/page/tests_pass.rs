//! Tables of pages that go from their owner to another node, past the home.

use dstd_addr::{NodeId, PageNo};

use super::tests::{
    RAN, RESIDENCE, WATCH, bounded, exclusive, fault, got, grant, page, reach, request, row, send, shared,
    upgrade,
};
use super::*;
use crate::{Message, MessageKind};

fn pass(first: PageNo, count: u16, exclusive: bool, to: u16) -> Message {
    Message::PagePass { first, count, exclusive, to: NodeId(to) }
}

fn passed(first: PageNo, count: u16, writable: bool) -> Message {
    Message::PagePassed { first, count, writable }
}

fn installed(first: PageNo, count: u16) -> Message {
    Message::PageInstalled { first, count }
}

fn evict(first: PageNo, exclusive: bool) -> Message {
    Message::PageEvict { first, count: 1, exclusive }
}

fn install(first: PageNo, count: u16, writable: bool) -> Output {
    Output::Install { first, count, writable, skip: 0 }
}

const P: fn() -> PageNo = || page(0, 3);

/// A home whose page node 1 can write, and node 2 has asked for.
fn asked(write: bool) -> PageEngine {
    let mut home = bounded(1, None);
    reach(&mut home, 0, got(1, request(P(), 1, true)));
    row(&mut home, 0, got(2, request(P(), 1, write)), &[send(1, pass(P(), 1, write, 2), Body::None)]);
    home
}

#[test]
fn a_write_of_three_nodes_goes_past_the_home() {
    let mut home = asked(true);
    assert_eq!(
        (home.directory(P()), home.passed_to(P())),
        (exclusive(1), Some((NodeId(2), Local::Writable)))
    );
    // Busy until it is installed.
    row(&mut home, 0, got(3, request(P(), 1, true)), &[]);
    row(&mut home, 0, got(2, installed(P(), 1)), &[send(2, pass(P(), 1, true, 3), Body::None)]);
    assert_eq!((home.local(P()), home.directory(P())), (Local::Absent, exclusive(2)));
    row(&mut home, 0, got(3, installed(P(), 1)), &[]);
    assert_eq!((home.directory(P()), home.counters().passes), (exclusive(3), 2));
    assert!(home.is_idle());
}

#[test]
fn a_read_of_three_nodes_is_over_when_home_has_the_bytes_and_the_reader_too() {
    let mut home = asked(false);
    row(&mut home, 0, got(3, request(P(), 1, false)), &[]);
    row(&mut home, 0, got(1, passed(P(), 1, false)), &[install(P(), 1, false)]);
    assert_eq!((home.directory(P()), home.is_busy(P())), (shared([0, 1, 2]), true));
    let next = send(3, grant(P(), 1, false), Body::Pages);
    row(&mut home, 0, got(2, installed(P(), 1)), &[next]);

    let mut home = asked(false);
    row(&mut home, 0, got(3, request(P(), 1, false)), &[]);
    row(&mut home, 0, got(2, installed(P(), 1)), &[]);
    assert_eq!(
        (home.directory(P()), home.passed_to(P())),
        (exclusive(1), Some((NodeId(2), Local::ReadOnly)))
    );
    row(&mut home, 0, got(1, passed(P(), 1, false)), &[install(P(), 1, false), next]);
    assert_eq!(home.directory(P()), shared([0, 1, 2, 3]));
    assert!(home.is_idle());
}

#[test]
fn a_reader_that_is_quick_may_give_its_copy_up_or_want_to_write() {
    let mut home = asked(false);
    reach(&mut home, 0, got(2, installed(P(), 1)));
    row(&mut home, 0, got(2, evict(P(), false)), &[]);
    assert_eq!((home.directory(P()), home.passed_to(P())), (exclusive(1), None));
    let mut gone = home.clone();
    row(&mut gone, 0, got(1, passed(P(), 1, false)), &[install(P(), 1, false)]);
    assert_eq!(gone.directory(P()), shared([0, 1]));
    // It asks again: the home waits for the bytes, then it serves it.
    row(&mut home, 0, got(2, request(P(), 1, false)), &[]);
    let granted = send(2, grant(P(), 1, false), Body::Pages);
    row(&mut home, 0, got(1, passed(P(), 1, false)), &[install(P(), 1, false), granted]);

    let mut home = asked(false);
    reach(&mut home, 0, got(2, installed(P(), 1)));
    row(&mut home, 0, got(2, request(P(), 1, true)), &[]);
    let drop = send(1, Message::PageInvalidate { first: P(), count: 1 }, Body::None);
    row(&mut home, 0, got(1, passed(P(), 1, false)), &[install(P(), 1, false), drop]);
    let raised = [send(2, upgrade(P(), 1), Body::None), Output::Unmap { first: P(), count: 1 }];
    row(&mut home, 0, got(1, Message::PageInvalidated { first: P(), count: 1 }), &raised);
    assert_eq!(home.directory(P()), exclusive(2));
}

#[test]
fn an_owner_may_give_its_copy_up_before_the_reader_has_said_a_word() {
    let mut home = asked(false);
    reach(&mut home, 0, got(1, passed(P(), 1, false)));
    row(&mut home, 0, got(1, evict(P(), false)), &[]);
    row(&mut home, 0, got(1, request(P(), 1, false)), &[]);
    row(&mut home, 0, got(2, installed(P(), 1)), &[send(1, grant(P(), 1, false), Body::Pages)]);
    assert_eq!(home.directory(P()), shared([0, 1, 2]));
}

#[test]
fn an_owner_that_gave_the_page_up_before_lets_the_home_serve() {
    for write in [false, true] {
        let mut home = asked(write);
        let mut given = vec![
            install(P(), 1, true),
            Output::Protect { first: P(), count: 1 },
            send(2, grant(P(), 1, write), Body::Pages),
        ];
        given.extend(write.then_some(Output::Unmap { first: P(), count: 1 }));
        row(&mut home, 0, got(1, evict(P(), true)), &given);
        assert!(home.is_idle());
    }
}

#[test]
fn who_may_still_hear_of_a_revocation_gets_its_pages_from_the_home() {
    let fetch = Message::PageFetch { first: P(), count: 1, exclusive: true };
    let back = Message::PageReturn { first: P(), count: 1, exclusive: true };
    let mut home = bounded(1, None);
    reach(&mut home, 0, got(1, request(P(), 1, false)));
    // The invalidation is on its way when node 1 gives its copy up; the eviction answers it.
    reach(&mut home, 0, got(2, request(P(), 1, true)));
    reach(&mut home, 0, got(1, evict(P(), false)));
    assert_eq!(home.directory(P()), exclusive(2));
    // Bytes from node 2 might come before the invalidation.
    row(&mut home, 0, got(1, request(P(), 1, true)), &[send(2, fetch, Body::None)]);
    row(&mut home, 0, got(2, back), &[send(1, grant(P(), 1, true), Body::Received)]);
    // The grant has pushed it out.
    reach(&mut home, 0, got(2, request(P(), 1, true)));
    reach(&mut home, 0, got(2, installed(P(), 1)));
    row(&mut home, 0, got(1, request(P(), 1, true)), &[send(2, pass(P(), 1, true, 1), Body::None)]);
    assert_eq!(home.counters().passes_avoided, 1);
}

#[test]
fn a_window_of_which_a_page_crosses_is_passed_as_far_as_that() {
    let own = |index| page(0, index);
    let mut home = bounded(8, None);
    reach(&mut home, 0, got(1, request(own(0), 4, false)));
    reach(&mut home, 0, got(2, request(own(2), 1, true)));
    reach(&mut home, 0, got(1, evict(own(2), false)));
    reach(&mut home, 0, got(1, evict(own(0), false)));
    for index in [0, 1, 3] {
        reach(&mut home, 0, got(2, request(own(index), 1, true)));
        if index != 0 {
            reach(&mut home, 0, got(1, Message::PageInvalidated { first: own(index), count: 1 }));
        }
    }
    assert!((0..4).all(|index| home.directory(own(index)) == exclusive(2)));
    let fetch = Message::PageFetch { first: own(2), count: 2, exclusive: false };
    let asked = [send(2, pass(own(0), 2, false, 1), Body::None), send(2, fetch, Body::None)];
    row(&mut home, 0, got(1, request(own(0), 4, false)), &asked);
}

#[test]
fn an_owner_passes_and_keeps_only_what_it_may() {
    let theirs = |index| page(1, index);
    for write in [false, true] {
        let mut owner = bounded(8, None);
        for (first, count) in [(0, 1), (1, 2), (3, 4)] {
            reach(&mut owner, 0, fault(theirs(first), true));
            reach(&mut owner, 0, got(1, grant(theirs(first), count, true)));
        }
        // Page 3 was touched and stays for its residence; what follows it cannot go with the first.
        let out = |to: u16, message: Message, first, count| {
            let mut out = vec![Output::Protect { first, count }, send(to, message, Body::Pages)];
            if !write && matches!(message, Message::PagePassed { .. }) {
                out.push(send(1, message, Body::Pages));
            }
            out.extend(write.then_some(Output::Unmap { first, count }));
            out
        };
        let back = |first, count| Message::PageReturn { first, count, exclusive: write };
        let gone =
            [out(2, passed(theirs(2), 1, write), theirs(2), 1), out(1, back(theirs(4), 2), theirs(4), 2)]
                .concat();
        row(&mut owner, 1, got(1, pass(theirs(2), 4, write, 2)), &gone);
        row(&mut owner, RESIDENCE, Input::Tick, &[WATCH]);
        row(&mut owner, RESIDENCE, RAN, &out(1, back(theirs(3), 1), theirs(3), 1));
        // The first page itself stays: it goes to the asker later, the others home at once.
        let mut owner = bounded(8, None);
        reach(&mut owner, 0, fault(theirs(0), true));
        reach(&mut owner, 0, got(1, grant(theirs(0), 1, true)));
        reach(&mut owner, 0, fault(theirs(1), true));
        reach(&mut owner, 0, got(1, grant(theirs(1), 2, true)));
        row(&mut owner, 1, got(1, pass(theirs(1), 2, write, 3)), &out(1, back(theirs(2), 1), theirs(2), 1));
        reach(&mut owner, RESIDENCE, Input::Tick);
        row(&mut owner, RESIDENCE, RAN, &out(3, passed(theirs(1), 1, write), theirs(1), 1));
        assert_eq!(owner.local(theirs(1)), if write { Local::Absent } else { Local::ReadOnly });
    }
}

#[test]
fn who_gets_a_page_from_its_owner_tells_the_home_before_it_asks_for_more() {
    let theirs = |index| page(1, index);
    let mut node = bounded(4, None);
    for (first, count) in [(0, 1), (1, 2)] {
        reach(&mut node, 0, fault(theirs(first), false));
        reach(&mut node, 0, got(1, grant(theirs(first), count, false)));
    }
    reach(&mut node, 0, fault(theirs(3), false));
    reach(&mut node, 0, fault(theirs(5), true));
    let outputs = [
        install(theirs(3), 2, false),
        send(1, installed(theirs(3), 2), Body::None),
        send(1, request(theirs(5), 1, true), Body::None),
    ];
    row(&mut node, 5, got(2, passed(theirs(3), 2, false)), &outputs);
    assert_eq!(node.local(theirs(3)), Local::ReadOnly);
    // It stays until the fault has retired.
    row(&mut node, 6, got(1, Message::PageInvalidate { first: theirs(3), count: 1 }), &[]);
    assert_eq!(node.deadline(), Some(5 + RESIDENCE));
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |engine: &PageEngine, from: u16, message: Message, expected: Violation| {
        let result = engine.clone().step(0, got(from, message), &mut Vec::new());
        assert_eq!(result, Err(expected), "{message:?} from {from}");
    };
    let unasked = |from, page, kind| Violation::Unasked { from: NodeId(from), page, kind };
    let kind = MessageKind::PageInstalled;
    for write in [false, true] {
        let home = asked(write);
        refused(&home, 3, installed(P(), 1), unasked(3, P(), kind));
        refused(&home, 2, installed(P(), 2), unasked(2, P().plus(1), kind));
        // Not from who passes it, and never what the asker alone may have.
        refused(&home, 3, passed(P(), 1, write), unasked(3, P(), MessageKind::PagePassed));
        refused(&home, 1, passed(P(), 1, true), unasked(1, P(), MessageKind::PagePassed));
        refused(
            &home,
            2,
            evict(P(), write),
            Violation::NotHeld { from: NodeId(2), page: P(), kind: MessageKind::PageEvict },
        );
    }
    let mut home = asked(false);
    reach(&mut home, 0, got(2, installed(P(), 1)));
    refused(&home, 2, installed(P(), 1), unasked(2, P(), kind));
    refused(
        &home,
        1,
        evict(P(), true),
        Violation::NotHeld { from: NodeId(1), page: P(), kind: MessageKind::PageEvict },
    );

    let mut owner = bounded(1, None);
    let theirs = page(1, 3);
    reach(&mut owner, 0, fault(theirs, true));
    reach(&mut owner, 0, got(1, grant(theirs, 1, true)));
    for to in [0, 1, 4] {
        let to = NodeId(to);
        let message = Message::PagePass { first: theirs, count: 1, exclusive: true, to };
        refused(&owner, 1, message, Violation::Astray { from: NodeId(1), page: theirs, to });
    }
    let kind = MessageKind::PagePassed;
    refused(&owner, 1, passed(theirs, 1, true), Violation::WrongHome { from: NodeId(1), page: theirs, kind });
    refused(&owner, 2, passed(theirs, 1, true), unasked(2, theirs, kind));
}
