//! Everything that must hold before a change goes in, cheapest first.

use std::time::Instant;

use crate::row::Row;
use crate::verdict::Verdict;
use crate::{cargo, statics, tidy};

type Stage = (&'static str, fn() -> Verdict);

const STAGES: &[Stage] = &[
    ("fmt", || cargo::run(&["fmt", "--all", "--check"])),
    ("tidy", || tidy::run(&mut Vec::new())),
    ("clippy", || cargo::run(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"])),
    ("docs", docs),
    ("tests", || cargo::run(&["test", "--quiet", "--workspace"])),
    ("statics", || statics::run(&mut Vec::new())),
];

fn docs() -> Verdict {
    let words = ["doc", "--quiet", "--workspace", "--no-deps"];
    cargo::passes(cargo::cargo(&words).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Runs all stages, up to the first that fails.
pub(crate) fn run(rows: &mut Vec<Row>) -> Verdict {
    for (name, stage) in STAGES {
        println!("verify: {name}");
        let start = Instant::now();
        let verdict = stage();
        let row =
            Row::new(format!("verify {name}"), start.elapsed().as_secs_f64(), "s", "cargo xtask verify");
        row.show();
        rows.push(row);
        verdict?;
    }
    Ok(())
}
