//! What single operations cost by each way nodes of one host have to reach each other, beside the bare transport.
//!
//! One sample is the median of what one run of the programs measures (200 spawns, 1024 pages, 2000 round trips). The runs of
//! all modes take turns, so that what else the machine does meets all of them.

use crate::arguments::Arguments;
use crate::bench::measured;
use crate::programs::{Programs, ROUNDS, RoundTrips, TRANSPORTS};
use crate::row::Row;
use crate::verdict::{Verdict, fail};

const SAMPLES: u64 = 15;

/// A way to reach another node.
struct Mode {
    name: &'static str,
    /// What the launcher is told.
    options: &'static [&'static str],
    /// How page faults are served, when not in the best way.
    faults: Option<&'static str>,
    /// The transport that carries its messages.
    transport: &'static str,
}

const NO_DIRECT: &[&str] = &["--transport", "shm", "--no-direct"];
const HOT_PAGES: &[&str] = &["--transport", "shm", "--no-direct", "--hot-pages=1"];

/// All ways. A row says the name of its mode; a further way is a line here.
const MODES: &[Mode] = &[
    Mode { name: "tcp", options: &["--transport", "tcp", "--no-direct"], faults: None, transport: "tcp" },
    Mode { name: "shm", options: NO_DIRECT, faults: None, transport: "shm" },
    Mode { name: "shm, hot pages", options: HOT_PAGES, faults: None, transport: "shm" },
    Mode { name: "shm, user", options: NO_DIRECT, faults: Some("user"), transport: "shm" },
    Mode { name: "shm, signal", options: NO_DIRECT, faults: Some("signal"), transport: "shm" },
    Mode { name: "direct", options: &["--transport", "shm"], faults: None, transport: "shm" },
];

/// What is measured by one run of `measure`.
struct Operation {
    /// What its row is called.
    name: &'static str,
    /// What `measure` is told, and on how many nodes.
    word: &'static str,
    nodes: &'static str,
    /// What `measure` calls it.
    measured: &'static str,
    /// What it is compared with.
    round_trip: RoundTrip,
}

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "read fault of 4 KiB",
        word: "read",
        nodes: "2",
        measured: "read a page of another node",
        round_trip: RoundTrip::Page,
    },
    Operation {
        name: "write fault of 4 KiB",
        word: "write",
        nodes: "2",
        measured: "write a page of another node",
        round_trip: RoundTrip::Page,
    },
    Operation {
        name: "spawn+join",
        word: "spawn",
        nodes: "2",
        measured: "spawn and join",
        round_trip: RoundTrip::Small,
    },
    Operation {
        name: "read fault, page of a third node",
        word: "third_read",
        nodes: "3",
        measured: "read a page that a third node wrote",
        round_trip: RoundTrip::Page,
    },
    Operation {
        name: "write fault, page of a third node",
        word: "third_write",
        nodes: "3",
        measured: "write a page that a third node wrote",
        round_trip: RoundTrip::Page,
    },
];

/// Operations that one run measures, by their nodes.
const RUNS: &[&str] = &["2", "3"];

/// Frames of a bare transport: a small one, answered by a small one or by a page.
#[derive(Clone, Copy)]
enum RoundTrip {
    Small,
    Page,
}

/// Measures all; one row for each operation and mode, and for each round trip and transport.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    let programs = Programs::build()?;
    let mut operations = vec![[const { Vec::new() }; OPERATIONS.len()]; MODES.len()];
    let mut round_trips = TRANSPORTS.map(|transport| (transport, Vec::new(), Vec::new()));
    for _ in 0..arguments.number("--samples").unwrap_or(SAMPLES) {
        for (mode, samples) in MODES.iter().zip(&mut operations) {
            for nodes in RUNS {
                let of_run = || OPERATIONS.iter().filter(|operation| operation.nodes == *nodes);
                let mut launch = programs.launched(&[&["-n", nodes], mode.options].concat(), "measure");
                launch.envs(mode.faults.map(|faults| ("DSTD_FAULTS", faults)));
                let results = measured(launch.args(of_run().map(|operation| operation.word)))?;
                for (operation, samples) in OPERATIONS.iter().zip(&mut *samples) {
                    if operation.nodes != *nodes {
                        continue;
                    }
                    let result = results.iter().find(|(name, ..)| name == operation.measured);
                    let Some((_, [_, median, _], _)) = result else {
                        return fail(format!("{launch:?} does not measure {:?}", operation.measured));
                    };
                    samples.push(*median);
                }
            }
        }
        for ((_, smalls, pages), RoundTrips { small, page }) in
            round_trips.iter_mut().zip(programs.round_trips()?)
        {
            smalls.push(small);
            pages.push(page);
        }
    }
    let from = rows.len();
    for (transport, small, page) in round_trips {
        let command = format!("target/release/examples/round_trip {ROUNDS}");
        for (kind, samples) in [(RoundTrip::Small, small), (RoundTrip::Page, page)] {
            rows.push(Row::of_samples(kind.row(transport), samples, "us", &command));
        }
    }
    for (mode, samples) in MODES.iter().zip(operations) {
        let words = mode.options.join(" ");
        let variable = mode.faults.map_or(String::new(), |faults| format!("DSTD_FAULTS={faults} "));
        for (operation, samples) in OPERATIONS.iter().zip(samples) {
            let Operation { name, word, nodes, .. } = operation;
            let command = format!(
                "{variable}target/release/dstd-launch -n {nodes} {words} -- target/release/measure {word}"
            );
            let row = Row::of_samples(format!("{name}, {}", mode.name), samples, "us", &command);
            let bare = rows[from..].iter().find(|row| row.name == operation.round_trip.row(mode.transport));
            let bare = bare.map_or(f64::NAN, |row| row.value);
            rows.push(row.beside("bare transport", bare));
        }
    }
    rows[from..].iter().for_each(Row::show);
    Ok(())
}

impl RoundTrip {
    /// The name of its row.
    fn row(self, transport: &str) -> String {
        let name = match self {
            RoundTrip::Small => "8 bytes for 8",
            RoundTrip::Page => "8 bytes for 4 KiB",
        };
        format!("bare transport, {name}, {transport}")
    }
}
