//! Tables of evictions and discards; and messages that make no sense.

use dstd_addr::{NodeId, PageNo};

use super::tests::{
    RESIDENCE, bounded, exclusive, fault, got, grant, page, random, reach, request, row, send, shared,
    upgrade,
};
use super::*;
use crate::{Message, MessageKind};

fn evict(first: PageNo, count: u16, exclusive: bool) -> Message {
    Message::PageEvict { first, count, exclusive }
}

fn discard(first: PageNo, count: u16) -> Message {
    Message::PageDiscard { first, count }
}

fn discarded(first: PageNo, count: u16) -> Message {
    Message::PageDiscarded { first, count }
}

fn install(first: PageNo, writable: bool) -> Output {
    Output::Install { first, count: 1, writable, skip: 0 }
}

/// Has `engine` fetch pages of node 1 one after the other, from time 0 on.
fn fetch(engine: &mut PageEngine, pages: impl IntoIterator<Item = (u64, bool)>) {
    for (index, write) in pages {
        reach(engine, 0, fault(page(1, index), write));
        reach(engine, 0, got(1, grant(page(1, index), 1, write)));
    }
}

#[test]
fn the_pages_that_came_first_go_together() {
    let mut engine = bounded(1, Some(3));
    fetch(&mut engine, [(2, true), (1, true), (5, false)]);
    assert_eq!(engine.copies(), 3);
    let p = page(1, 9);
    reach(&mut engine, RESIDENCE, fault(p, false));
    let unmap = Output::Unmap { first: page(1, 2), count: 1 };
    let gone = [
        Output::Protect { first: page(1, 2), count: 1 },
        send(1, evict(page(1, 2), 1, true), Body::Pages),
        unmap,
        install(p, false),
    ];
    row(&mut engine, RESIDENCE, got(1, grant(p, 1, false)), &gone);
    assert_eq!((engine.local(page(1, 2)), engine.copies()), (Local::Absent, 3));

    // A bound of 32 gives up two at a time; neighbours of one kind leave in one message.
    let mut engine = bounded(1, Some(32));
    fetch(&mut engine, (0..32).map(|index| (index, false)));
    reach(&mut engine, RESIDENCE, fault(p.plus(40), false));
    let gone = [
        Output::Unmap { first: page(1, 0), count: 2 },
        send(1, evict(page(1, 0), 2, false), Body::None),
        install(p.plus(40), false),
    ];
    row(&mut engine, RESIDENCE, got(1, grant(p.plus(40), 1, false)), &gone);
    assert_eq!((engine.copies(), engine.counters().evictions), (31, 2));
}

#[test]
fn a_page_in_its_residence_goes_later() {
    let mut engine = bounded(1, Some(1));
    fetch(&mut engine, [(1, false), (2, false)]);
    assert_eq!((engine.copies(), engine.deadline()), (2, Some(RESIDENCE)));
    assert!(!engine.is_idle());
    let gone =
        [Output::Unmap { first: page(1, 1), count: 1 }, send(1, evict(page(1, 1), 1, false), Body::None)];
    row(&mut engine, RESIDENCE, Input::Tick, &gone);
    assert_eq!((engine.copies(), engine.deadline()), (1, None));
    assert!(engine.is_idle());
}

#[test]
fn an_upgrade_under_way_keeps_its_page() {
    let mut engine = bounded(1, Some(1));
    let (p, q) = (page(1, 1), page(1, 2));
    fetch(&mut engine, [(1, false)]);
    reach(&mut engine, RESIDENCE, fault(p, true));
    reach(&mut engine, RESIDENCE, Input::Fault { page: q, write: false, thread: 2 });
    row(&mut engine, RESIDENCE, got(1, grant(q, 1, false)), &[install(q, false)]);
    let late = 3 * RESIDENCE;
    let upgraded = [
        Output::Upgrade { first: p, count: 1 },
        Output::Unmap { first: q, count: 1 },
        send(1, evict(q, 1, false), Body::None),
    ];
    row(&mut engine, late, got(1, upgrade(p, 1)), &upgraded);
    assert_eq!(engine.copies(), 1);
}

#[test]
fn waiting_threads_raise_the_bound() {
    let mut engine = bounded(1, Some(1));
    reach(&mut engine, 0, fault(page(2, 0), false));
    fetch(&mut engine, (1..=5).map(|index| (index, false)));
    // Four for the thread that waits for the page of node 2.
    row(&mut engine, RESIDENCE, Input::Tick, &[]);
    assert_eq!(engine.copies(), 5);
    let mut out = Vec::new();
    let input = got(2, grant(page(2, 0), 1, false));
    engine.step(RESIDENCE, input, &mut out).expect("it was asked for");
    let evicted =
        out.iter().filter(|output| matches!(output, Output::Send { message: Message::PageEvict { .. }, .. }));
    // The page that has come is in its residence; everything else may go.
    assert_eq!((engine.copies(), evicted.count() > 0), (1, true), "{out:?}");
}

#[test]
fn read_ahead_leaves_room() {
    let mut engine = bounded(64, Some(16));
    let mut asked = 0;
    for step in 0..6 {
        let mut out = Vec::new();
        let p = page(1, asked);
        engine.step(step, fault(p, false), &mut out).expect("a fault");
        let [Output::Send { message: Message::PageRequest { count, .. }, .. }] = out[..] else {
            panic!("{out:?}")
        };
        assert!(count <= 2, "{count} pages of 16");
        reach(&mut engine, step, got(1, grant(p, count, false)));
        asked += u64::from(count);
    }
}

#[test]
fn a_revocation_that_crossed_an_eviction_is_not_answered() {
    for (write, message) in [
        (false, Message::PageInvalidate { first: page(1, 1), count: 1 }),
        (true, Message::PageFetch { first: page(1, 1), count: 1, exclusive: false }),
        (true, Message::PageFetch { first: page(1, 1), count: 1, exclusive: true }),
        (true, Message::PagePass { first: page(1, 1), count: 1, exclusive: true, to: NodeId(2) }),
        (true, discard(page(1, 1), 1)),
        (false, discard(page(1, 1), 1)),
    ] {
        let mut engine = bounded(1, Some(1));
        fetch(&mut engine, [(1, write), (2, false)]);
        reach(&mut engine, RESIDENCE, Input::Tick);
        assert_eq!(engine.local(page(1, 1)), Local::Absent);
        // Asked for again meanwhile: the answer comes behind the revocation.
        reach(&mut engine, RESIDENCE, fault(page(1, 1), false));
        row(&mut engine, RESIDENCE, got(1, message), &[]);
        let mut again = engine.clone();
        let refused = again.step(RESIDENCE, got(1, message), &mut Vec::new());
        assert!(matches!(refused, Err(Violation::NotHeld { .. })), "{refused:?} on {message:?}");
        reach(&mut engine, RESIDENCE, got(1, grant(page(1, 1), 1, false)));
        assert_eq!((engine.local(page(1, 1)), engine.counters().evictions_crossed), (Local::ReadOnly, 1));
    }
}

#[test]
fn home_takes_an_eviction_in() {
    let p = page(0, 3);
    let mut home = bounded(8, None);
    reach(&mut home, 0, got(1, request(p, 3, true)));
    let back = [Output::Install { first: p, count: 3, writable: true, skip: 0 }];
    row(&mut home, 0, got(1, evict(p, 3, true)), &back);
    assert_eq!((home.local(p), home.directory(p.plus(2))), (Local::Writable, exclusive(0)));

    for from in [1, 2] {
        reach(&mut home, 0, got(from, request(p, 1, false)));
    }
    row(&mut home, 0, got(1, evict(p, 1, false)), &[]);
    assert_eq!(home.directory(p), shared([0, 2]));
    row(&mut home, 0, got(2, evict(p, 1, false)), &[]);
    row(&mut home, 0, fault(p, true), &[Output::Upgrade { first: p, count: 1 }]);
}

#[test]
fn an_eviction_is_the_answer_that_home_waits_for() {
    let p = page(0, 3);
    let mut home = bounded(8, None);
    reach(&mut home, 0, got(1, request(p, 3, true)));
    // Another node waits for the page in the middle.
    reach(&mut home, 0, got(2, request(p.plus(1), 1, false)));
    let back = [
        Output::Install { first: p, count: 3, writable: true, skip: 0 },
        Output::Protect { first: p.plus(1), count: 1 },
        send(2, grant(p.plus(1), 1, false), Body::Pages),
    ];
    row(&mut home, 0, got(1, evict(p, 3, true)), &back);
    assert_eq!(home.directory(p.plus(1)), shared([0, 2]));
    assert!(home.is_idle());

    let mut home = bounded(1, None);
    for from in [1, 2] {
        reach(&mut home, 0, got(from, request(p, 1, false)));
    }
    reach(&mut home, 0, fault(p, true));
    row(&mut home, 0, got(1, evict(p, 1, false)), &[]);
    let last = got(2, Message::PageInvalidated { first: p, count: 1 });
    row(&mut home, 0, last, &[Output::Upgrade { first: p, count: 1 }]);
}

#[test]
fn a_discard_of_pages_that_were_never_away_is_done_at_once() {
    let p = page(0, 3);
    let mut home = bounded(1, None);
    let fresh = [Output::Fresh { first: p, count: 1000 }, Output::Discarded { token: 7 }];
    row(&mut home, 0, Input::Discard { first: p, count: 1000, token: 7 }, &fresh);
    assert_eq!(home.touched().count(), 0);
    let nothing = Input::Discard { first: p, count: 0, token: 7 };
    row(&mut home, 0, nothing, &[Output::Discarded { token: 7 }]);
    assert!(home.is_idle());
}

#[test]
fn a_discard_takes_every_copy_back_without_bytes() {
    let p = page(0, 3);
    let mut home = bounded(8, None);
    reach(&mut home, 0, got(1, request(p, 2, true)));
    reach(&mut home, 0, got(1, request(p.plus(2), 1, false)));
    reach(&mut home, 0, got(2, request(p.plus(2), 1, false)));
    let begun = [
        Output::Fresh { first: p.plus(3), count: 2 },
        send(1, discard(p, 3), Body::None),
        send(2, discard(p.plus(2), 1), Body::None),
    ];
    row(&mut home, 0, Input::Discard { first: p, count: 5, token: 7 }, &begun);
    assert!(!home.is_idle());
    // Read-ahead goes round it, a request for such a page waits.
    let ahead = send(3, grant(page(0, 2), 1, false), Body::Pages);
    let protect = Output::Protect { first: page(0, 2), count: 1 };
    row(&mut home, 0, got(3, request(page(0, 2), 8, false)), &[protect, ahead]);
    row(&mut home, 0, got(3, request(p, 1, false)), &[]);
    row(&mut home, 0, got(2, discarded(p.plus(2), 1)), &[]);
    let done = [
        Output::Fresh { first: p, count: 1 },
        Output::Protect { first: p, count: 1 },
        send(3, grant(p, 1, false), Body::Pages),
        Output::Fresh { first: p.plus(1), count: 2 },
        Output::Discarded { token: 7 },
    ];
    row(&mut home, 0, got(1, discarded(p, 3)), &done);
    assert_eq!((home.directory(p), home.directory(p.plus(2))), (shared([0, 3]), exclusive(0)));
    assert!(home.is_idle());
}

#[test]
fn a_discard_waits_for_the_request_before_it_and_takes_evictions_for_answers() {
    let p = page(0, 3);
    let mut home = bounded(1, None);
    reach(&mut home, 0, got(1, request(p, 1, true)));
    reach(&mut home, 0, got(2, request(p, 1, true)));
    row(&mut home, 0, Input::Discard { first: p, count: 1, token: 1 }, &[]);
    let installed = got(2, Message::PageInstalled { first: p, count: 1 });
    row(&mut home, 0, installed, &[send(2, discard(p, 1), Body::None)]);
    // The bytes that the eviction brings are not installed.
    let done = [Output::Fresh { first: p, count: 1 }, Output::Discarded { token: 1 }];
    row(&mut home, 0, got(2, evict(p, 1, true)), &done);
    assert_eq!((home.local(p), home.directory(p)), (Local::Writable, exclusive(0)));
}

#[test]
fn a_holder_drops_what_it_has() {
    let mut engine = bounded(1, Some(16));
    let p = page(1, 1);
    fetch(&mut engine, [(1, true), (2, false), (3, true)]);
    let dropped = [Output::Unmap { first: p, count: 3 }, send(1, discarded(p, 3), Body::None)];
    row(&mut engine, 0, got(1, discard(p, 3)), &dropped);
    assert_eq!((engine.local(p), engine.copies()), (Local::Absent, 0));
    assert!(engine.is_idle());
}

#[test]
fn what_does_not_fit_is_refused() {
    let p = page(0, 3);
    let kind = MessageKind::PageEvict;
    let from = NodeId(1);
    let mut lent = bounded(1, None);
    reach(&mut lent, 0, got(1, request(p, 1, false)));
    let refused = |message: Message, expected: Violation| {
        let mut home = lent.clone();
        let result = home.step(0, got(1, message), &mut Vec::new());
        assert_eq!(result, Err(expected), "{message:?}");
    };
    refused(evict(p, 1, true), Violation::NotHeld { from, page: p, kind });
    refused(evict(p.plus(1), 1, false), Violation::NotHeld { from, page: p.plus(1), kind });
    refused(evict(page(1, 1), 1, false), Violation::WrongHome { from, page: page(1, 1), kind });
    refused(evict(p, 0, false), Violation::BadCount { from, first: p, count: 0 });
    refused(evict(p, u16::MAX, false), Violation::BadCount { from, first: p, count: u16::MAX });
    let kind = MessageKind::PageDiscarded;
    refused(discarded(p, 1), Violation::Unasked { from, page: p, kind });
    let kind = MessageKind::PageDiscard;
    refused(discard(page(1, 1), 1), Violation::NotHeld { from, page: page(1, 1), kind });
    refused(discard(p, 1), Violation::WrongHome { from, page: p, kind });
    let foreign = Input::Discard { first: page(1, 0), count: 1, token: 1 };
    assert!(lent.clone().step(0, foreign, &mut Vec::new()).is_err());
}

/// A hostile peer ends the program by a violation, never by a panic or a loop.
#[test]
fn random_messages_are_taken_or_refused() {
    let one: Option<u64> =
        std::env::var("DSTD_SEED").ok().map(|seed| seed.parse().expect("DSTD_SEED is a number"));
    let mut refused = 0;
    for seed in one.map_or(0..400, |seed| seed..seed + 1) {
        println!("replay: DSTD_SEED={seed} cargo test -p dstd-protocol --lib random_messages");
        let mut state = seed;
        let mut engine = bounded(4, [None, Some(1), Some(5)][(seed % 3) as usize]);
        for now_ns in 0..200 {
            let mut below = |end: u64| random(&mut state) % end;
            let first = match below(40) {
                0 => PageNo(below(1 << 53)),
                1 => PageNo(crate::limits::PAGE_NO_END - 1),
                _ => page(below(2) as u16, below(6)),
            };
            let count = if below(30) == 0 { below(1 << 16) as u16 } else { 1 + below(3) as u16 };
            let (one, two, node) = (below(2) == 0, below(4) == 0, below(4) as u16);
            let to = NodeId(below(5) as u16);
            let input = match below(15) {
                0 | 1 => fault(first, one),
                2 => Input::Tick,
                3 => Input::Discard { first, count: count.into(), token: now_ns },
                4 | 5 => got(node, request(first, count, one)),
                6 | 7 => got(node, Message::PageGrant { first, count, writable: one, upgrade: two }),
                8 => got(node, Message::PageFetch { first, count, exclusive: one }),
                9 => got(node, evict(first, count, one)),
                10 => got(node, if one { discard(first, count) } else { discarded(first, count) }),
                11 => got(node, Message::PagePass { first, count, exclusive: one, to }),
                12 => got(node, Message::PagePassed { first, count, writable: one }),
                13 => got(node, Message::PageInstalled { first, count }),
                _ if one => got(node, Message::PageReturn { first, count, exclusive: two }),
                _ if two => got(node, Message::PageInvalidate { first, count }),
                _ => got(node, Message::PageInvalidated { first, count }),
            };
            // A refused message may leave things half done: the driver would stop.
            let mut after = engine.clone();
            match after.step(10 * now_ns, input, &mut Vec::new()) {
                Ok(()) => engine = after,
                Err(violation) => {
                    assert!(violation.to_string().starts_with("page protocol:"));
                    refused += 1;
                }
            }
        }
    }
    assert!(one.is_some() || refused > 1000, "{refused} refused");
}
