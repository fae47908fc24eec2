//! Inside a domain, where nodes map each other's memory.

use crate::programs::{Programs, medians};
use crate::row::Row;
use crate::samples::{Samples, pair};
use crate::verdict::Verdict;

const READ: &str = "read a page of another node";
/// What a row is called, and what `measure` calls it.
const MUTEXES: [(&str, &str); 2] = [
    ("direct.mutex.ratio", "lock and unlock a mutex of another node, per 1000"),
    ("direct.contended_mutex.ratio", "lock and unlock a contended mutex, per 1000"),
];
const READ_US: f64 = 0.3;
const RATIO: f64 = 1.1;

/// Rows for the first read of a page, and for mutexes.
pub(super) fn run(programs: &Programs, samples: u64, rows: &mut Vec<Row>) -> Verdict {
    let mut all = Samples::default();
    let names = MUTEXES.map(|(_, name)| name);
    for turn in 0..samples {
        let here = || {
            let mut names = names.to_vec();
            names.push(READ);
            medians(programs.domain().args(["mutex", "mutex_shared", "read"]), &names)
        };
        let on_std = || medians(programs.on_std().args(["mutex", "mutex_shared"]), &names);
        let (here, on_std) = pair(turn, here, on_std)?;
        all.add("direct.read.us", here[2]);
        for ((name, _), (here, on_std)) in MUTEXES.into_iter().zip(here.into_iter().zip(on_std)) {
            all.add(name, here / on_std);
            all.add(format!("{name}, std"), on_std);
        }
    }
    let command = "cargo xtask bench page direct";
    rows.push(all.row("direct.read.us", "us", command).target("<=", READ_US));
    for (name, _) in MUTEXES {
        let on_std = all.median(&format!("{name}, std"));
        rows.push(all.row(name, "", command).beside("ns on std", on_std).target("<=", RATIO));
    }
    Ok(())
}
