//! Crates that start threads through std, on all nodes, again and again: none hangs, none fails.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::processes::Running;
use crate::row::Row;
use crate::verdict::{Verdict, cannot, while_doing};
use crate::{cargo, tree};

const RUNS: u64 = 100;
const NODES: &str = "3";
/// Far more than a run takes: what is not done by then hangs.
const BOUND: Duration = Duration::from_secs(60);

/// What runs: the crate, and the scenario that uses it.
const NAMES: [(&str, &str); 8] = [
    ("rayon", "spread_rayon"),
    ("threadpool", "spread_threadpool"),
    ("crossbeam-deque", "spread_deque"),
    ("crossbeam-epoch", "spread_epochs"),
    ("crossbeam-channel", "spread_channels"),
    ("crossbeam-utils", "spread_crossbeam_scopes"),
    ("parking_lot", "spread_locks"),
    ("dashmap", "spread_maps"),
];

/// How nodes talk, by the word after `--transport`.
const TRANSPORTS: [(&str, &[&str]); 3] = [
    ("shm", &["--transport", "shm", "--no-direct"]),
    ("tcp", &["--transport", "tcp", "--no-direct"]),
    ("domain", &[]),
];

/// Runs them all, or the one that is named.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    let runs = arguments.number("--runs").unwrap_or(RUNS);
    let transport = arguments.word("--transport").unwrap_or("shm");
    let Some((_, options)) = TRANSPORTS.iter().find(|(known, _)| *known == transport) else {
        return cannot(format!("--transport is shm, tcp or domain, not {transport:?}"));
    };
    let wanted = arguments.word("--name");
    let names: Vec<_> =
        NAMES.into_iter().filter(|(name, _)| wanted.is_none_or(|word| word == *name)).collect();
    if names.is_empty() || runs == 0 {
        let known: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
        return cannot(format!("nothing to run; --name is one of {}", known.join(", ")));
    }
    let bin = cargo::build_release(&["compat-tests", "dstd-launch"])?;
    let logs = tree::target("soak")?;
    fs::create_dir_all(&logs).map_err(while_doing(format!("{}", logs.display())))?;
    for (name, scenario) in names {
        let command = format!("cargo xtask soak --runs {runs} --name {name} --transport {transport}");
        let start = Instant::now();
        let (mut hangs, mut failures) = (0.0, 0.0);
        for number in 1..=runs {
            let log = logs.join(format!("{name}-{transport}-{number}.log"));
            match one(&bin, options, scenario, &log)? {
                Some(0) => fs::remove_file(&log).map_err(while_doing(format!("{}", log.display())))?,
                Some(code) => {
                    failures += 1.0;
                    println!("soak: {name}: run {number} ended with {code}: {}", log.display());
                }
                None => {
                    hangs += 1.0;
                    println!("soak: {name}: run {number} hangs: {}", log.display());
                }
            }
        }
        println!("soak: {name}: {runs} runs in {:.0} s", start.elapsed().as_secs_f64());
        for (what, count) in [("hangs", hangs), ("failures", failures)] {
            let row = Row::new(format!("{name}.{transport}.{what}"), count, "runs", &command);
            let row = Row { count: runs as usize, ..row }.target("==", 0.0);
            row.show();
            rows.push(row);
        }
    }
    Ok(())
}

/// One run; nothing if it was not done in time.
fn one(bin: &Path, options: &[&str], scenario: &str, log: &Path) -> Verdict<Option<i32>> {
    let mut launch = Command::new(bin.join("dstd-launch"));
    launch.args(["-n", NODES, "--placement", "round-robin", "--spread", "all"]).args(options);
    launch.arg("--").arg(bin.join("scenarios")).arg(scenario);
    let log = File::create(log).map_err(while_doing(format!("{}", log.display())))?;
    Running::start_into(&mut launch, log)?.wait(BOUND)
}
