//! What an instruction over two contended pages costs until it retires (PAGE-2), exactly.

use std::collections::BTreeMap;

use dstd_sim::{Options, Scenario, run};

/// With a shorter residence than threads take to wake up progress is a matter of luck.
const RESIDENCE_NS_MIN: u64 = 20_000;
const SEEDS: u64 = 2_000;
/// Of 999 in 1000 instructions, and of all.
const TRANSFERS_999: u32 = 4;
const TRANSFERS_MAX: u32 = 8;

#[test]
fn an_instruction_over_two_contended_pages_retires() {
    let options = Options { scenario: Some(Scenario::Straddle), ..Options::default() };
    let mut by_transfers: BTreeMap<u32, u64> = BTreeMap::new();
    let mut worst = (0, 0);
    for seed in 0..SEEDS {
        let summary = run(seed, options).unwrap_or_else(|failure| panic!("{options:?}\n{failure}"));
        if summary.residence_ns < RESIDENCE_NS_MIN {
            continue;
        }
        for (transfers, instructions) in summary.straddles {
            worst = worst.max((transfers, seed));
            *by_transfers.entry(transfers).or_default() += instructions;
        }
    }
    let all: u64 = by_transfers.values().sum();
    let mut sum = 0;
    let of_999 = by_transfers.iter().find_map(|(&transfers, instructions)| {
        sum += instructions;
        (sum * 1_000 >= all * 999).then_some(transfers)
    });
    println!("{all} instructions, by transfers: {by_transfers:?}; p99.9 {of_999:?}; worst {worst:?}");
    assert!(all > 50_000, "{all} instructions say little");
    assert!(of_999 <= Some(TRANSFERS_999), "p99.9 is {of_999:?}: {by_transfers:?}");
    assert!(worst.0 <= TRANSFERS_MAX, "seed {}: an instruction took {} transfers", worst.1, worst.0);
}
