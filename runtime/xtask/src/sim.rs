//! Simulates the protocols, seed by seed.

use std::time::Instant;

use dstd_sim::Options;

use crate::arguments::Arguments;
use crate::row::Row;
use crate::verdict::{Verdict, fail};

/// How many seeds without a number given.
const SEEDS: u64 = 1000;

/// Runs the seeds, and those that failed once; the first broken rule ends it.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    let from = arguments.number("--from").unwrap_or(0);
    let seeds = arguments.number("--seeds").unwrap_or(SEEDS);
    let start = Instant::now();
    let kept = dstd_sim::failed_once();
    for &(seed, scenario) in &kept {
        let options = Options { scenario: Some(scenario), ..Options::default() };
        dstd_sim::run(seed, options).or_else(|failure| fail(failure.to_string()))?;
    }
    println!("{} seeds that failed once: all rules hold", kept.len());
    let (mut steps, mut faults) = (0, 0);
    for seed in (from..).take(usize::try_from(seeds).unwrap_or(usize::MAX)) {
        match dstd_sim::run(seed, Options::default()) {
            Ok(summary) => {
                steps += summary.steps;
                faults += summary.faults;
            }
            Err(failure) => return fail(failure.to_string()),
        }
    }
    let command = format!("cargo xtask sim --seeds {seeds} --from {from}");
    println!("{seeds} seeds from {from}: {steps} events, {faults} faults, all rules hold");
    rows.push(Row::new("sim seeds", seeds as f64, "seeds", &command));
    rows.push(Row::new("sim events", steps as f64, "events", &command));
    rows.push(Row::new("sim time", start.elapsed().as_secs_f64(), "s", &command));
    Ok(())
}
