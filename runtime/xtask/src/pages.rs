//! What the page engine does with the transport it has: bulk, beside the bare transport in the same run.

use std::process::Command;

use crate::arguments::Arguments;
use crate::bench::measured;
use crate::cargo;
use crate::row::Row;
use crate::verdict::{Verdict, fail, while_doing};

const SAMPLES: u64 = 5;
/// Windows of 256 KiB that one sample of the bare transport moves.
const WINDOWS: &str = "2000";
/// What `measure` walks through.
const WALK_MIB: f64 = 256.0;
const SHARE: f64 = 0.7;

/// What a row is called, and what `measure` calls it.
const WALKS: &[(&str, &str)] = &[
    ("page.stream.share", "read 256 MiB of another node"),
    ("page.write_stream.share", "overwrite 256 MiB of another node"),
];

/// Measures all; a row for each walk and transport.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    let bin = cargo::build_release(&["compat-tests", "dstd-launch"])?;
    cargo::run(&["build", "--release", "--quiet", "-p", "dstd-transport", "--example", "ping_pong"])?;
    let mut shares: Vec<(String, Vec<f64>)> = Vec::new();
    for _ in 0..arguments.number("--samples").unwrap_or(SAMPLES) {
        for (transport, bare) in
            bandwidths(Command::new(bin.join("examples/ping_pong")).args(["bandwidth", WINDOWS]))?
        {
            let mut launch = Command::new(bin.join("dstd-launch"));
            launch.args(["-n", "2", "--transport", &transport, "--no-direct", "--"]).arg(bin.join("measure"));
            let results = measured(launch.args(["stream", "write_stream"]))?;
            for (name, wanted) in WALKS {
                let Some((_, [_, us, _], _)) = results.iter().find(|(name, ..)| name == wanted) else {
                    return fail(format!("{launch:?} does not measure {wanted:?}"));
                };
                let speed = WALK_MIB / (us / 1e6);
                println!("{name}, {transport}: {speed:.0} of {bare:.0} MiB/s");
                let name = format!("{name}, {transport}");
                match shares.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, shares)) => shares.push(speed / bare),
                    None => shares.push((name, vec![speed / bare])),
                }
            }
        }
    }
    for (name, shares) in shares {
        let command = "cargo xtask bench page";
        rows.push(Row::of_many(name, shares, "of the bare transport", command).target(">=", SHARE));
    }
    rows.iter().for_each(Row::show);
    Ok(())
}

/// The transports, each with the MiB/s that `command` prints.
fn bandwidths(command: &mut Command) -> Verdict<Vec<(String, f64)>> {
    let output = command.output().map_err(while_doing(format!("{command:?}")))?;
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let parse = |line: &str| {
        let (transport, speed) = line.split_once('\t')?;
        Some((transport.to_owned(), speed.parse().ok()?))
    };
    match words.lines().map(parse).collect() {
        Some(speeds) if output.status.success() => Ok(speeds),
        _ => fail(format!("{command:?} prints something else: {words}")),
    }
}
