//! A page fault that another node serves, beside its parts: the kernel's and the transport's.

use crate::programs::{Programs, TRANSPORTS};
use crate::row::Row;
use crate::samples::{Samples, pair};
use crate::verdict::Verdict;

/// What a row is called, and what `measure` calls it.
const FAULTS: [(&str, &str); 2] = [
    ("page.read_fault.over_raw", "read a page of another node"),
    ("page.write_fault.over_raw", "write a page of another node"),
];
const OVER_RAW_US: f64 = 15.0;

/// Rows for both faults and both transports, and for the parts.
pub(super) fn run(programs: &Programs, samples: u64, rows: &mut Vec<Row>) -> Verdict {
    let mut all = Samples::default();
    for turn in 0..samples {
        let parts = || Ok((programs.round_trips()?, programs.bare_faults()?));
        let faults = || programs.on_both(&["read", "write"], &FAULTS.map(|(_, name)| name));
        let ((round_trips, bare), faults) = pair(turn, parts, faults)?;
        for ((transport, round_trip), faults) in TRANSPORTS.into_iter().zip(round_trips).zip(faults) {
            all.add(format!("round trip for a page, {transport}"), round_trip.page);
            for ((name, _), (fault, bare)) in FAULTS.into_iter().zip(faults.into_iter().zip(bare)) {
                all.add(format!("{name}, {transport}"), fault - bare - round_trip.page);
                all.add(format!("{name} and all, {transport}"), fault);
            }
        }
        all.add("bare fault, read", bare[0]);
        all.add("bare fault, write", bare[1]);
    }
    let command = "cargo xtask bench page faults";
    for name in ["bare fault, read", "bare fault, write"] {
        rows.push(all.row(name, "us", command));
    }
    for transport in TRANSPORTS {
        rows.push(all.row(&format!("round trip for a page, {transport}"), "us", command));
        for (name, _) in FAULTS {
            let whole = all.median(&format!("{name} and all, {transport}"));
            let row = all.row(&format!("{name}, {transport}"), "us", command);
            rows.push(row.beside("the whole fault", whole).target("<=", OVER_RAW_US));
        }
    }
    Ok(())
}
