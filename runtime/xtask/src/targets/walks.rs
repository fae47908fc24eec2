//! Bulk through the page engine, beside the same bytes over the bare transport.

use crate::programs::{Programs, TRANSPORTS};
use crate::row::Row;
use crate::samples::{Samples, pair};
use crate::verdict::Verdict;

/// What a row is called, and what `measure` calls it.
const WALKS: [(&str, &str); 2] = [
    ("page.stream.share", "read 256 MiB of another node"),
    ("page.write_stream.share", "overwrite 256 MiB of another node"),
];
/// What `measure` walks through.
const WALK_MIB: f64 = 256.0;
const SHARE: f64 = 0.7;

/// Rows for both walks and both transports, and for the transports.
pub(super) fn run(programs: &Programs, samples: u64, rows: &mut Vec<Row>) -> Verdict {
    let mut all = Samples::default();
    for turn in 0..samples {
        let walks = || programs.on_both(&["stream", "write_stream"], &WALKS.map(|(_, name)| name));
        let (bandwidths, walks) = pair(turn, || programs.bandwidths(), walks)?;
        for ((transport, bandwidth), walks) in TRANSPORTS.into_iter().zip(bandwidths).zip(walks) {
            all.add(format!("bandwidth, {transport}"), bandwidth);
            for ((name, _), us) in WALKS.into_iter().zip(walks) {
                let speed = WALK_MIB / (us / 1e6);
                all.add(format!("{name}, {transport}"), speed / bandwidth);
                all.add(format!("{name} and all, {transport}"), speed);
            }
        }
    }
    let command = "cargo xtask bench page walks";
    for transport in TRANSPORTS {
        rows.push(all.row(&format!("bandwidth, {transport}"), "MiB/s", command));
        for (name, _) in WALKS {
            let whole = all.median(&format!("{name} and all, {transport}"));
            let row = all.row(&format!("{name}, {transport}"), "of the bandwidth", command);
            rows.push(row.beside("MiB/s", whole).target(">=", SHARE));
        }
    }
    Ok(())
}
