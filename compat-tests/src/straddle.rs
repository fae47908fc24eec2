//! How many pages come to a node until an instruction retires that needs two pages other nodes keep writing to; for
//! `cargo xtask bench page`. Lines as those of `measure`: the transfers of so many instructions, and the transfers that all
//! but one in a thousand get by with. On three nodes each page has a node of its own, on two they share one.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a measurement that meets an error has failed and may panic")]

#[path = "contended.rs"]
mod contended;

use std::hint::black_box;
use std::mem::offset_of;
use std::time::Duration;

use compat_units::Block;
use dstd::place::{self, NodeId};
use dstd::sync::atomic::{AtomicBool, Ordering};
use dstd::thread;
use dstd_control::stats::Stats;

use contended::{Apart, Pages, hammer};

const INSTRUCTIONS: u64 = 2_000;
/// Between two instructions, so that the other nodes get both pages back.
const APART: Duration = Duration::from_micros(200);

fn main() {
    let nodes: Vec<NodeId> = place::nodes().collect();
    assert!(nodes.len() > 1, "there is nobody to share pages with");
    let (home, straddling) = (nodes[0], nodes[1]);
    let third = nodes.get(2).copied().unwrap_or(home);
    let mut pages = Box::new(Pages([0; 8_192]));
    let done = Box::new(Apart(AtomicBool::new(false)));
    let (low, rest) = pages.0.split_at_mut(4_096 - 8);
    let (middle, high) = rest.split_at_mut(16);
    let done = &done.0;
    let mut transfers = thread::scope(|scope| {
        place::on(home, || scope.spawn(|| hammer(&mut low[4_000..], done)));
        place::on(third, || scope.spawn(|| hammer(&mut high[..80], done)));
        let straddling = place::on(straddling, || scope.spawn(|| straddle(middle, done)));
        straddling.join().unwrap()
    });
    assert_eq!(pages.0[4_088..4_104], (INSTRUCTIONS as u128).to_le_bytes());
    transfers.sort_unstable();
    let count = transfers.len();
    let (least, median, most) = (transfers[0], transfers[count / 2], transfers[count - 1]);
    println!("transfers\t{least}\t{median}\t{most}\t{count}");
    // The least number that so many need no more than.
    let rare = transfers[(count * 999).div_ceil(1_000) - 1];
    println!("transfers, p99.9\t{rare}\t{rare}\t{rare}\t1");
}

/// Stores 16 bytes over the boundary again and again; how many pages came to this node for each store.
fn straddle(middle: &mut [u8], done: &AtomicBool) -> Vec<u64> {
    let faults = Faults::of_this_node();
    let one = |n: u64| {
        let bytes = u128::from(n).to_le_bytes();
        let before = faults.on_absent_pages();
        black_box(&mut *middle).copy_from_slice(black_box(&bytes));
        let transfers = faults.on_absent_pages() - before;
        assert_eq!(*middle, bytes);
        thread::sleep(APART);
        transfers
    };
    let transfers = (1..=INSTRUCTIONS).map(one).collect();
    done.store(true, Ordering::SeqCst);
    transfers
}

/// What the runtime of this node counts.
struct Faults(Block);

impl Faults {
    fn of_this_node() -> Faults {
        Faults(Block::at(Block::address().expect("a launcher counts")).unwrap())
    }

    /// Touches of pages that were not here: for each one a page came.
    fn on_absent_pages(&self) -> u64 {
        let count = |offset| self.0.word(offset).unwrap();
        count(offset_of!(Stats, faults_read)) + count(offset_of!(Stats, faults_write))
    }
}
