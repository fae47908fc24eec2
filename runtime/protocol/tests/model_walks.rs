//! Walks with several requests under way, in steps and backwards, against everything that can
//! happen meanwhile: every interleaving of small programs (see `model_page`).

#[allow(dead_code, unreachable_pub, reason = "shared between tests")]
mod world;

use world::model::{both_residences, page};
use world::{Op, Setup};

#[test]
fn a_walk_has_several_requests_under_way() {
    let [p, q, r, s] = [0, 1, 2, 3].map(|index| page(0, index));
    let programs = vec![
        (1, vec![Op::Load(p), Op::Load(q), Op::Load(r), Op::Load(s)]),
        (0, vec![Op::Add(r)]),
        (2, vec![Op::Add(q)]),
    ];
    let setup = Setup { nodes: 3, ahead_max: 2, pages: vec![p, q, r, s], programs, ..Setup::default() };
    both_residences("several requests", &setup);
}

#[test]
fn a_write_walk_with_several_requests_meets_another() {
    let [p, q, r] = [0, 1, 2].map(|index| page(0, index));
    let programs =
        vec![(1, vec![Op::Add(p), Op::Add(q), Op::Add(r)]), (2, vec![Op::Load(q), Op::Add(q), Op::Add(r)])];
    let setup = Setup { nodes: 3, ahead_max: 2, pages: vec![p, q, r], programs, ..Setup::default() };
    both_residences("several write requests", &setup);
}

#[test]
fn the_home_walks_with_several_ranges_under_way() {
    let [p, q, r] = [0, 1, 2].map(|index| page(0, index));
    let programs = vec![
        (0, vec![Op::Load(p), Op::Load(q), Op::Add(r)]),
        (1, vec![Op::Add(p), Op::Add(q), Op::Add(r), Op::Load(q)]),
    ];
    let setup = Setup { nodes: 2, ahead_max: 2, pages: vec![p, q, r], programs, ..Setup::default() };
    both_residences("several ranges", &setup);
}

#[test]
fn a_walk_in_steps_meets_writers() {
    let [p, q, r, s] = [0, 2, 4, 6].map(|index| page(0, index));
    let programs = vec![
        (1, vec![Op::Load(p), Op::Load(q), Op::Load(r), Op::Load(s)]),
        (0, vec![Op::Add(r)]),
        (2, vec![Op::Add(s)]),
    ];
    let setup = Setup { nodes: 3, ahead_max: 2, pages: vec![p, q, r, s], programs, ..Setup::default() };
    both_residences("in steps", &setup);
}

#[test]
fn the_home_walks_backwards() {
    let [p, q, r] = [0, 1, 2].map(|index| page(0, index));
    let programs =
        vec![(0, vec![Op::Add(r), Op::Add(q), Op::Add(p)]), (1, vec![Op::Add(q), Op::Load(p), Op::Add(r)])];
    let setup =
        Setup { nodes: 2, window_max: 2, ahead_max: 4, pages: vec![p, q, r], programs, ..Setup::default() };
    both_residences("backwards", &setup);
}
