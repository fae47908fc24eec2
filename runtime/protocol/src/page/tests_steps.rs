//! Walks in steps: exactly the pages they come to, each named once.

use dstd_addr::PageNo;

use super::tests::{fault, got, grant, page, random, request, row, send, walking};
use super::*;
use crate::Message;

/// A thread of node 0 touches these pages of node 1, which grants what it is asked for at once.
/// What was asked for by each fault: the pages and their number.
fn touched(node: &mut PageEngine, pages: impl IntoIterator<Item = PageNo>) -> Vec<Vec<(u64, u16)>> {
    let mut asked = Vec::new();
    for touched in pages {
        if node.local(touched) != Local::Absent {
            continue;
        }
        let mut out = Vec::new();
        node.step(0, fault(touched, false), &mut out).expect("a fault breaks no rule");
        let requests: Vec<_> = out
            .iter()
            .map(|output| match *output {
                Output::Send { message: Message::PageRequest { first, count, write: false }, .. } => {
                    (first, count)
                }
                ref other => panic!("{other:?} for a read of another node's page"),
            })
            .collect();
        for &(first, count) in &requests {
            let mut out = Vec::new();
            node.step(0, got(1, grant(first, count, false)), &mut out).expect("it was asked for");
        }
        asked.push(requests.iter().map(|&(first, count)| (first.0 - page(1, 0).0, count)).collect());
    }
    asked
}

#[test]
fn a_walk_in_steps_asks_for_the_pages_it_comes_to_and_no_others() {
    let mut node = walking(8, 32, Some(1 << 20));
    let asked = touched(&mut node, (0..40).map(|k| page(1, 3 * k)));
    let ones = |steps: core::ops::Range<u64>| steps.map(|k| (3 * k, 1)).collect::<Vec<_>>();
    assert_eq!(
        asked,
        [ones(0..1), ones(1..2), ones(2..4), ones(4..8), ones(8..16), ones(16..32), ones(32..48)]
    );
    // Eight pages too many: the walk ended in the middle of a stretch.
    assert_eq!(node.copies(), 48);
}

#[test]
fn a_walk_backwards_names_ranges() {
    let mut node = walking(8, 16, None);
    let asked = touched(&mut node, (100..140).rev().map(|index| page(1, index)));
    let expected: &[&[(u64, u16)]] = &[
        &[(139, 1)],
        &[(138, 1)],
        // What the thread waits for, and then what lies before it.
        &[(137, 1), (136, 1)],
        &[(135, 1), (132, 3)],
        &[(131, 1), (124, 7)],
        &[(123, 1), (108, 8), (116, 7)],
        &[(107, 1), (92, 8), (100, 7)],
    ];
    assert_eq!(asked, expected);
}

#[test]
fn a_walk_backwards_ends_where_the_region_begins() {
    let mut node = walking(8, 16, None);
    let asked = touched(&mut node, (0..6).rev().map(|index| page(1, index)));
    assert_eq!(asked, [vec![(5, 1)], vec![(4, 1)], vec![(3, 1), (2, 1)], vec![(1, 1), (0, 1)]]);
}

#[test]
fn faults_at_random_cost_no_additional_page() {
    const TOUCHES: usize = 2_000;
    for seed in 0..20 {
        let mut node = walking(64, 256, Some(1 << 20));
        let mut state = seed;
        let pages = (0..TOUCHES).map(|_| page(1, random(&mut state) % (1 << 24)));
        let asked = touched(&mut node, pages);
        assert!(asked.iter().all(|requests| requests.len() == 1 && requests[0].1 == 1), "seed {seed}");
        assert_eq!(asked.len(), node.copies(), "seed {seed}");
    }
}

#[test]
fn a_walk_in_steps_that_waits_asks_for_as_many_as_it_came_to() {
    let theirs = |index| page(1, index);
    let asked = |first| send(1, request(theirs(first), 1, true), Body::None);
    let mut node = walking(8, 32, None);
    for first in [40, 35] {
        row(&mut node, 0, fault(theirs(first), true), &[asked(first)]);
    }
    // The requests of the first faults are still under way; these are behind them.
    row(&mut node, 0, fault(theirs(30), true), &[asked(30), asked(25)]);
    row(&mut node, 0, fault(theirs(25), true), &[asked(10), asked(15), asked(20)]);
    row(&mut node, 0, fault(theirs(25), true), &[]);
    row(&mut node, 0, fault(theirs(20), true), &[asked(0), asked(5)]);
    assert_eq!(node.counters().asked_ahead, 8);
}

#[test]
fn the_home_walks_in_steps() {
    let own = |index| page(0, index);
    let mut home = walking(8, 32, None);
    let given = |first, count| got(1, request(own(first), count, true));
    for first in [0, 8, 16, 24] {
        super::tests::reach(&mut home, 0, given(first, 8));
    }
    let asked =
        |index| send(1, Message::PageFetch { first: own(index), count: 1, exclusive: false }, Body::None);
    let back = |index| got(1, Message::PageReturn { first: own(index), count: 1, exclusive: false });
    let install = |index| Output::Install { first: own(index), count: 1, writable: false, skip: 0 };
    for index in [0, 4] {
        row(&mut home, 0, fault(own(index), false), &[asked(index)]);
        row(&mut home, 0, back(index), &[install(index)]);
    }
    row(&mut home, 0, fault(own(8), false), &[asked(8), asked(12)]);
    row(&mut home, 0, back(8), &[install(8)]);
    row(&mut home, 0, fault(own(12), false), &[asked(16), asked(20), asked(24)]);
}
