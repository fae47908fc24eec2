//! Every interleaving of small programs that wait and wake on a word of a shared page: the page
//! engine and the futex engine that production uses, together.
//!
//! Checked beside what `model_page.rs` checks: no thread sleeps for ever, and a lock lets one
//! thread in at a time.

#[allow(dead_code, unreachable_pub, reason = "shared between tests")]
mod world;

use dstd_addr::PageNo;
use world::model::{both_residences, page};
use world::{Op, Setup};

/// std's futex mutex: lock, be alone, unlock.
fn lock_once(p: PageNo) -> Vec<Op> {
    vec![
        Op::Cas { page: p, old: 0, new: 1, then: 4 },
        Op::Swap { page: p, new: 2, old: 0, then: 4 },
        Op::Wait { page: p, word: 2 },
        Op::Goto(1),
        Op::Enter,
        Op::Leave,
        Op::Swap { page: p, new: 0, old: 1, then: 8 },
        Op::Wake { page: p, count: 1 },
    ]
}

/// Waits until the word is 1.
fn await_flag(p: PageNo) -> Vec<Op> {
    vec![Op::IfEqual { page: p, word: 1, then: 3 }, Op::Wait { page: p, word: 0 }, Op::Goto(0)]
}

fn raise_flag(p: PageNo, count: u32) -> Vec<Op> {
    vec![Op::Store(p, 1), Op::Wake { page: p, count }]
}

/// Waits until the word is 1, then wakes the next: each wake must reach a sleeper.
fn await_flag_and_pass_on(p: PageNo) -> Vec<Op> {
    let mut ops = await_flag(p);
    ops.push(Op::Wake { page: p, count: 1 });
    ops
}

fn setup(nodes: u16, programs: Vec<(usize, Vec<Op>)>) -> Setup {
    Setup { nodes, pages: vec![page(0, 0)], programs, ..Setup::default() }
}

#[test]
fn a_mutex_between_home_and_another_node() {
    let p = page(0, 0);
    let programs = vec![(0, lock_once(p)), (1, lock_once(p))];
    both_residences("mutex, 2 nodes", &setup(2, programs));
}

#[test]
fn a_mutex_between_two_threads_of_another_node() {
    let p = page(0, 0);
    let programs = vec![(1, lock_once(p)), (1, lock_once(p))];
    both_residences("mutex, away from home", &setup(2, programs));
}

#[test]
fn a_mutex_between_two_nodes_away_from_home() {
    let p = page(0, 0);
    let programs = vec![(1, lock_once(p)), (2, lock_once(p))];
    both_residences("mutex, home looks on", &setup(3, programs));
}

#[test]
fn a_flag_wakes_all_its_waiters() {
    let p = page(0, 0);
    let programs = vec![(0, await_flag(p)), (1, await_flag(p)), (1, raise_flag(p, u32::MAX))];
    both_residences("flag, all", &setup(2, programs));
}

#[test]
fn each_waiter_wakes_the_next() {
    let p = page(0, 0);
    let programs =
        vec![(0, await_flag_and_pass_on(p)), (1, await_flag_and_pass_on(p)), (0, raise_flag(p, 1))];
    both_residences("flag, one by one", &setup(2, programs));
}
