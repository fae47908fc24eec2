//! Runs the parts that own memory in an interpreter that notices undefined behaviour.

use std::process::Command;
use std::time::Instant;

use crate::arguments::Arguments;
use crate::row::Row;
use crate::verdict::Verdict;
use crate::{canary, cargo, nightly, tree};

/// In how many orders of its threads each test runs: as many as cores at a time.
const SEEDS: u64 = 2;
/// What runs in them. Its tests are smaller there (`cfg!(miri)`).
const TESTS: &[&str] = &["-p", "dstd-heap", "-p", "dstd-loom", "--lib", "--test", "heap", "--test", "models"];
/// The test that makes mistakes.
const CANARY: &[&str] = &["-p", "dstd-heap", "--test", "heap", "broken"];

/// Miri on `dstd-addr` and, over plain memory and real threads, on `dstd-heap` and the lock-free parts.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    let start = Instant::now();
    let from = arguments.number("--from").unwrap_or(0);
    let seeds = arguments.number("--seeds").unwrap_or(SEEDS);
    for (mistake, words) in [("race", "Data race detected"), ("beyond", "Undefined Behavior")] {
        // Not by the environment: of that, Miri keeps what it was when the test was built.
        let flag = format!("-Zmiri-env-set={}={mistake}", canary::VARIABLE);
        canary::notices(&mut miri(CANARY, &flag)?, mistake, words)?;
    }
    cargo::tests_pass(&mut miri(&["-p", "dstd-addr", "--lib"], "")?)?;
    cargo::tests_pass(&mut miri(TESTS, &format!("-Zmiri-many-seeds={from}..{}", from + seeds))?)?;
    let command = format!("cargo xtask miri --seeds {seeds} --from {from}");
    rows.push(Row::new("miri.orders", seeds as f64, "orders", &command));
    rows.push(Row::new("miri.time", start.elapsed().as_secs_f64(), "s", &command));
    Ok(())
}

fn miri(words: &[&str], flags: &str) -> Verdict<Command> {
    let mut command = nightly::cargo("miri", &[&["miri", "test"], words].concat())?;
    // A heap lives as long as its process, so its memory is leaked.
    let flags = format!("-Zmiri-strict-provenance -Zmiri-ignore-leaks {flags}");
    command.env("MIRIFLAGS", flags).env("CARGO_TARGET_DIR", tree::target("miri")?);
    Ok(command)
}
