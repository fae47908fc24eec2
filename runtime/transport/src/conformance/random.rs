//! Traffic without a plan.

use dstd_addr::NodeId;

use super::Fabric;
use super::end::{ends, settle};
use crate::Outbox;
use crate::stub::split_mix;

/// The seeds that are tried when none is asked for.
const SEEDS: std::ops::Range<u64> = 0..4;

/// Asks for one seed only.
const SEED_VARIABLE: &str = "DSTD_TRANSPORT_SEED";

/// Sends, flushes and polls in random order, with random sizes and slices, between three nodes.
pub fn random_traffic_loses_nothing<F: Fabric>(fabric: &F) {
    let asked = std::env::var(SEED_VARIABLE).ok().map(|seed| seed.parse().expect("a seed is a number"));
    for seed in asked.map_or(SEEDS, |seed| seed..seed + 1) {
        println!("seed {seed}; replay: {SEED_VARIABLE}={seed} cargo test -p dstd-transport random_traffic");
        random_traffic(fabric, seed);
    }
}

fn random_traffic<F: Fabric>(fabric: &F, seed: u64) {
    let scale = fabric.scale();
    let mut state = seed;
    let mut below = |bound: usize| (split_mix(&mut state) % bound as u64) as usize;
    let mut ends = ends(fabric, 3, scale.limits());
    for _ in 0..scale.frames {
        let at = below(3);
        let to = NodeId(((at + 1 + below(2)) % 3) as u16);
        let end = &mut ends[at];
        match below(4) {
            0 | 1 if !end.node.congested(to) => {
                let limit = scale.body_bytes_max as usize;
                let most = match below(100) {
                    0..30 => 1,
                    30..60 => 100,
                    60..85 => 5000,
                    85..98 => 40_000,
                    _ => limit,
                };
                let len = below(most.min(limit) + 1);
                let mut cuts: Vec<usize> = (0..below(5)).map(|_| below(len + 1)).collect();
                cuts.sort_unstable();
                end.send_cut(to, len, &cuts).unwrap();
            }
            2 => {
                end.node.flush();
            }
            _ => {
                end.poll();
            }
        }
    }
    settle(&mut ends);
}
