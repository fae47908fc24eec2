//! What several nodes want at once: a mutex, two pages.

use crate::bench::measured;
use crate::programs::{Programs, TRANSPORTS};
use crate::row::Row;
use crate::samples::{Samples, pair};
use crate::verdict::{Verdict, fail};

/// What a row is called, and what `measure` calls it.
const LOCKS: [(&str, &str); 2] = [
    ("page.mutex_handover.us", "hand a mutex to a thread that waits for it"),
    ("page.mutex_alternation.us", "alternate through a mutex"),
];
/// How long a page stays where a fault brought it, unless a node is told otherwise.
const RESIDENCE_US: f64 = 30.0;
const ROUND_TRIPS: f64 = 3.0;
const TRANSFERS_MAX: f64 = 8.0;
const TRANSFERS_RARE: f64 = 4.0;
/// Runs of the instruction over two pages: each has thousands of them.
const STRADDLES: u64 = 3;

/// Rows for hand-overs and for transfers, on both transports.
pub(super) fn run(programs: &Programs, samples: u64, rows: &mut Vec<Row>) -> Verdict {
    let mut all = Samples::default();
    for turn in 0..samples {
        let locks = || programs.on_both(&["handover", "alternate"], &LOCKS.map(|(_, name)| name));
        let (locks, round_trips) = pair(turn, locks, || programs.round_trips())?;
        for ((transport, locks), round_trip) in TRANSPORTS.into_iter().zip(locks).zip(round_trips) {
            all.add(transport, round_trip.page);
            for ((name, _), time) in LOCKS.into_iter().zip(locks) {
                all.add(format!("{name}, {transport}"), time);
            }
        }
    }
    for transport in TRANSPORTS {
        let round_trip = all.median(transport);
        for (name, _) in LOCKS {
            let row = all.row(&format!("{name}, {transport}"), "us", "cargo xtask bench page locks");
            let target = RESIDENCE_US + ROUND_TRIPS * round_trip;
            rows.push(row.beside("round trip", round_trip).target("<=", target));
        }
        straddle(programs, transport, rows)?;
    }
    Ok(())
}

/// How often a page comes until an instruction over two contended ones retires, on three nodes.
fn straddle(programs: &Programs, transport: &str, rows: &mut Vec<Row>) -> Verdict {
    let (mut most, mut rare) = (Vec::new(), Vec::new());
    for _ in 0..STRADDLES {
        let options = ["-n", "3", "--transport", transport, "--no-direct"];
        let results = measured(&mut programs.launched(&options, "straddle"))?;
        let [(_, [_, _, max], _), (_, [_, all_but_one, _], _)] = results[..] else {
            return fail("straddle does not print two lines");
        };
        most.push(max);
        rare.push(all_but_one);
    }
    let worst = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    for (name, values, target) in [("max", most, TRANSFERS_MAX), ("p99.9", rare, TRANSFERS_RARE)] {
        let name = format!("page.straddle.transfers, {name}, {transport}");
        let worst = worst(&values);
        let row = Row::of_many(name, values, "transfers", "cargo xtask bench page locks");
        // A bound has to hold in every run.
        rows.push(Row { value: worst, ..row }.target("<=", target));
    }
    Ok(())
}
