//! Every interleaving of small programs over the page engine that production uses. What is
//! checked: `world/model.rs`.

#[allow(dead_code, unreachable_pub, reason = "shared between tests")]
mod world;

use world::model::{both_residences, page, without_residence};
use world::{Op, Setup};

#[test]
fn two_nodes_one_page_two_threads_each() {
    let p = page(0, 0);
    let programs = vec![
        (0, vec![Op::Add(p)]),
        (0, vec![Op::Cas { page: p, old: 1, new: 7, then: 1 }]),
        (1, vec![Op::Add(p)]),
        (1, vec![Op::Add(p)]),
    ];
    both_residences("2x2 threads", &Setup { nodes: 2, pages: vec![p], programs, ..Setup::default() });
}

#[test]
fn two_nodes_hand_a_page_to_and_fro() {
    let p = page(0, 0);
    let programs = vec![
        (0, vec![Op::Load(p), Op::Add(p), Op::Load(p), Op::Add(p), Op::Load(p)]),
        (1, vec![Op::Load(p), Op::Add(p), Op::Store(p, 9), Op::Load(p)]),
    ];
    both_residences("to and fro", &Setup { nodes: 2, pages: vec![p], programs, ..Setup::default() });
}

#[test]
fn two_nodes_with_a_page_of_each() {
    let (p, q) = (page(0, 0), page(1, 0));
    let programs =
        vec![(0, vec![Op::Add(p), Op::Add(q), Op::Load(p)]), (1, vec![Op::Add(q), Op::Add(p), Op::Load(q)])];
    both_residences("two homes", &Setup { nodes: 2, pages: vec![p, q], programs, ..Setup::default() });
}

#[test]
fn three_nodes_one_page() {
    let p = page(0, 0);
    let programs = vec![
        (0, vec![Op::Load(p), Op::Add(p)]),
        (1, vec![Op::Load(p), Op::Add(p)]),
        (2, vec![Op::Add(p), Op::Load(p)]),
    ];
    both_residences("three nodes", &Setup { nodes: 3, pages: vec![p], programs, ..Setup::default() });
}

#[test]
fn read_ahead_meets_writers_at_home() {
    let [p, q, r, s] = [0, 1, 2, 3].map(|index| page(0, index));
    let programs = vec![
        (0, vec![Op::Add(r), Op::Add(s)]),
        (1, vec![Op::Load(p), Op::Load(q), Op::Load(r), Op::Load(s)]),
        (1, vec![Op::Add(r)]),
    ];
    let setup = Setup { nodes: 2, window_max: 4, pages: vec![p, q, r, s], programs, ..Setup::default() };
    both_residences("read-ahead", &setup);
}

#[test]
fn a_thread_waits_for_a_page_that_read_ahead_does_not_get() {
    let [p, q, r] = [0, 1, 2].map(|index| page(0, index));
    let programs = vec![(1, vec![Op::Load(p), Op::Load(q)]), (1, vec![Op::Load(r)]), (2, vec![Op::Add(r)])];
    let setup = Setup { nodes: 3, window_max: 2, pages: vec![p, q, r], programs, ..Setup::default() };
    both_residences("ungranted", &setup);
}

#[test]
fn write_ahead_of_absent_pages() {
    let [p, q, r] = [0, 1, 2].map(|index| page(0, index));
    let programs = vec![(1, vec![Op::Add(p), Op::Add(q), Op::Add(r)]), (2, vec![Op::Load(r), Op::Add(r)])];
    let setup = Setup { nodes: 3, window_max: 2, pages: vec![p, q, r], programs, ..Setup::default() };
    both_residences("write-ahead", &setup);
}

#[test]
fn upgrades_of_consecutive_pages() {
    let [p, q, r] = [0, 1, 2].map(|index| page(0, index));
    let programs = vec![
        (1, vec![Op::Load(q), Op::Load(r), Op::Add(p), Op::Add(q), Op::Add(r)]),
        (2, vec![Op::Load(r), Op::Add(r)]),
    ];
    let setup = Setup { nodes: 3, window_max: 2, pages: vec![p, q, r], programs, ..Setup::default() };
    both_residences("upgrades", &setup);
}

#[test]
fn a_full_node_evicts_what_others_want() {
    let (p, q) = (page(0, 0), page(0, 1));
    let programs =
        vec![(0, vec![Op::Add(p)]), (1, vec![Op::Load(p), Op::Add(q), Op::Add(p)]), (2, vec![Op::Add(p)])];
    let setup = Setup { nodes: 3, copies_max: Some(1), pages: vec![p, q], programs, ..Setup::default() };
    both_residences("evictions", &setup);
}

#[test]
fn two_threads_of_a_full_node() {
    let (p, q) = (page(0, 0), page(0, 1));
    let programs = vec![
        (0, vec![Op::Add(p)]),
        (1, vec![Op::Load(p), Op::Load(q), Op::Add(p)]),
        (1, vec![Op::Add(q), Op::Load(p)]),
    ];
    let setup = Setup { nodes: 2, copies_max: Some(1), pages: vec![p, q], programs, ..Setup::default() };
    both_residences("evictions with upgrades", &setup);
}

#[test]
fn evictions_to_two_homes() {
    let (p, q) = (page(0, 0), page(1, 0));
    let programs =
        vec![(0, vec![Op::Add(q)]), (1, vec![Op::Load(p)]), (2, vec![Op::Add(p), Op::Load(q), Op::Load(p)])];
    let setup = Setup { nodes: 3, copies_max: Some(1), pages: vec![p, q], programs, ..Setup::default() };
    without_residence("evictions to two homes", &setup);
}

#[test]
fn a_discard_meets_every_kind_of_copy() {
    let (p, q) = (page(0, 0), page(0, 1));
    let discard = Op::Discard { page: p, count: 2 };
    let programs = vec![
        (0, vec![Op::Add(p), discard, Op::Load(p)]),
        (1, vec![Op::Load(p), Op::Add(q), Op::Add(p)]),
        (2, vec![Op::Add(p)]),
    ];
    let setup = Setup { nodes: 3, pages: vec![p, q], programs, ..Setup::default() };
    both_residences("discard", &setup);
}

#[test]
fn read_ahead_meets_a_discard() {
    let [p, q, r] = [0, 1, 2].map(|index| page(0, index));
    let programs = vec![
        (0, vec![Op::Discard { page: q, count: 2 }, Op::Add(q)]),
        (1, vec![Op::Load(p), Op::Load(q)]),
        (1, vec![Op::Add(r), Op::Load(p)]),
    ];
    let pages = vec![p, q, r];
    let setup = Setup { nodes: 2, window_max: 2, pages, programs, ..Setup::default() };
    both_residences("read-ahead and discard", &setup);
}

#[test]
fn evictions_cross_discards() {
    let (p, q) = (page(0, 0), page(0, 1));
    let programs = vec![
        (0, vec![Op::Discard { page: p, count: 2 }, Op::Discard { page: p, count: 1 }]),
        (1, vec![Op::Load(p), Op::Add(q), Op::Load(p)]),
        (2, vec![Op::Add(p)]),
    ];
    let setup = Setup { nodes: 3, copies_max: Some(1), pages: vec![p, q], programs, ..Setup::default() };
    both_residences("evictions and discards", &setup);
}

#[test]
fn the_home_walks_over_what_another_node_wrote() {
    let [p, q, r] = [0, 1, 2].map(|index| page(0, index));
    let programs = vec![
        (0, vec![Op::Load(p), Op::Load(q), Op::Add(r)]),
        (1, vec![Op::Add(p), Op::Add(q), Op::Add(r), Op::Add(q)]),
    ];
    let pages = vec![p, q, r];
    let setup = Setup { nodes: 2, window_max: 2, pages, programs, ..Setup::default() };
    both_residences("home reads ahead", &setup);
}

#[test]
fn the_home_rewrites_what_others_have_read() {
    let [p, q, r] = [0, 1, 2].map(|index| page(0, index));
    let programs = vec![
        (0, vec![Op::Add(p), Op::Add(q), Op::Add(r)]),
        (1, vec![Op::Load(p), Op::Load(q), Op::Add(r)]),
        (2, vec![Op::Load(r)]),
    ];
    let pages = vec![p, q, r];
    let setup = Setup { nodes: 3, window_max: 2, pages, programs, ..Setup::default() };
    without_residence("home writes ahead", &setup);
    let programs =
        vec![(0, vec![Op::Add(p), Op::Add(q)]), (1, vec![Op::Load(p), Op::Add(q)]), (2, vec![Op::Load(q)])];
    both_residences("home writes ahead, shorter", &Setup { pages: vec![p, q], programs, ..setup });
}

#[test]
fn windows_of_two_nodes_meet_away_from_home() {
    let [p, q, r] = [0, 1, 2].map(|index| page(0, index));
    let programs =
        vec![(1, vec![Op::Load(p), Op::Load(q), Op::Load(r)]), (2, vec![Op::Add(p), Op::Add(q), Op::Add(r)])];
    let pages = vec![p, q, r];
    let setup = Setup { nodes: 3, window_max: 2, pages, programs, ..Setup::default() };
    both_residences("two windows", &setup);
}

#[test]
fn evictions_cross_ranges_that_the_home_takes_back() {
    let [p, q, r] = [0, 1, 2].map(|index| page(0, index));
    let programs =
        vec![(0, vec![Op::Load(p), Op::Add(q), Op::Load(r)]), (1, vec![Op::Add(q), Op::Add(p), Op::Add(r)])];
    let setup = Setup {
        nodes: 2,
        window_max: 2,
        copies_max: Some(2),
        pages: vec![p, q, r],
        programs,
        ..Setup::default()
    };
    both_residences("evictions and ranges", &setup);
}

#[test]
fn a_page_goes_from_its_owner_to_who_asks() {
    let (p, q) = (page(0, 0), page(0, 1));
    let programs = vec![
        (0, vec![Op::Load(p)]),
        (1, vec![Op::Store(p, 3), Op::Load(q), Op::Cas { page: p, old: 4, new: 9, then: 3 }]),
        (2, vec![Op::Add(p), Op::Add(q), Op::Load(p)]),
    ];
    let setup = Setup { nodes: 3, pages: vec![p, q], programs, ..Setup::default() };
    both_residences("past the home", &setup);
}

#[test]
fn owners_of_two_homes_pass_pages_to_each_other() {
    let (p, q) = (page(0, 0), page(1, 0));
    let programs = vec![
        (0, vec![Op::Add(q), Op::Add(p)]),
        (1, vec![Op::Add(p), Op::Load(q)]),
        (2, vec![Op::Add(p), Op::Add(q)]),
    ];
    let setup = Setup { nodes: 3, pages: vec![p, q], programs, ..Setup::default() };
    both_residences("past two homes", &setup);
}

#[test]
fn what_an_eviction_crossed_may_come_after_the_page() {
    let (p, q) = (page(0, 0), page(0, 1));
    let programs = vec![
        (1, vec![Op::Load(p), Op::Load(q), Op::Load(p)]),
        (2, vec![Op::Add(p), Op::Add(p), Op::Load(q)]),
    ];
    let setup = Setup { nodes: 3, copies_max: Some(1), pages: vec![p, q], programs, ..Setup::default() };
    both_residences("crossings past the home", &setup);
}

#[test]
fn a_quick_reader_evicts_and_writes_before_the_home_has_the_bytes() {
    let (p, q) = (page(0, 0), page(0, 1));
    let programs = vec![
        (0, vec![Op::Load(p)]),
        (1, vec![Op::Load(p), Op::Load(q), Op::Add(p)]),
        (2, vec![Op::Add(p), Op::Load(q)]),
    ];
    let setup = Setup { nodes: 3, copies_max: Some(1), pages: vec![p, q], programs, ..Setup::default() };
    without_residence("quick readers", &setup);
}

#[test]
fn discards_meet_pages_that_go_past_the_home() {
    let (p, q) = (page(0, 0), page(0, 1));
    let programs = vec![
        (0, vec![Op::Discard { page: p, count: 2 }, Op::Load(p)]),
        (1, vec![Op::Add(p), Op::Load(q), Op::Load(p)]),
        (2, vec![Op::Load(p), Op::Add(p)]),
    ];
    let setup = Setup { nodes: 3, copies_max: Some(1), pages: vec![p, q], programs, ..Setup::default() };
    without_residence("discards past the home", &setup);
}

#[test]
fn windows_go_past_the_home_and_writers_wait_in_them() {
    let [p, q, r] = [0, 1, 2].map(|index| page(0, index));
    let programs = vec![
        (1, vec![Op::Add(p), Op::Add(q), Op::Add(r)]),
        (2, vec![Op::Load(p), Op::Load(q), Op::Load(r)]),
        (2, vec![Op::Add(r)]),
    ];
    let setup = Setup { nodes: 3, window_max: 2, pages: vec![p, q, r], programs, ..Setup::default() };
    without_residence("windows past the home", &setup);
    let programs =
        vec![(1, vec![Op::Add(p), Op::Add(q)]), (2, vec![Op::Load(p), Op::Load(q)]), (2, vec![Op::Add(q)])];
    both_residences("windows past the home, shorter", &Setup { pages: vec![p, q], programs, ..setup });
}

#[test]
fn instructions_over_two_pages_in_both_orders() {
    let (p, q) = (page(0, 0), page(1, 0));
    let programs = vec![
        (0, vec![Op::Copy { from: p, to: q }, Op::Add(p)]),
        (1, vec![Op::Copy { from: q, to: p }, Op::Add(q)]),
    ];
    let setup = Setup { nodes: 2, pages: vec![p, q], programs, ..Setup::default() };
    both_residences("two pages at once", &setup);
}

#[test]
fn two_nodes_need_the_same_two_pages_of_a_third() {
    let (p, q) = (page(0, 0), page(0, 1));
    let programs = vec![(1, vec![Op::Copy { from: p, to: q }]), (2, vec![Op::Copy { from: q, to: p }])];
    let setup = Setup { nodes: 3, pages: vec![p, q], programs, ..Setup::default() };
    both_residences("two pages on three nodes", &setup);
}
