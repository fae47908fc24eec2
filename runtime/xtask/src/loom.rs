//! Tries every order of the lock-free parts.

use std::time::Instant;

use crate::row::Row;
use crate::verdict::Verdict;
use crate::{cargo, tree};

/// Runs the models of `runtime/loom`, and the canaries that show that they can fail.
pub(crate) fn run(rows: &mut Vec<Row>) -> Verdict {
    let start = Instant::now();
    let words = ["test", "--release", "-p", "dstd-loom"];
    // Other flags than everything else: without a directory of its own, all would be built anew.
    let target = tree::target("loom")?;
    cargo::tests_pass(cargo::cargo(&words).env("RUSTFLAGS", "--cfg loom").env("CARGO_TARGET_DIR", target))?;
    rows.push(Row::new("loom.time", start.elapsed().as_secs_f64(), "s", "cargo xtask loom"));
    Ok(())
}
