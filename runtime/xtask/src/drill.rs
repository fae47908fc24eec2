//! Kills nodes of running programs, at any moment, and looks how the programs end.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::arguments::Arguments;
use crate::processes::{Running, kill};
use crate::row::Row;
use crate::verdict::{Verdict, cannot, fail, while_doing};
use crate::{cargo, tree};

const ROUNDS: u64 = 20;
const NODES: u64 = 3;
/// What is promised from the death of a node to the end of the program.
const BOUND: Duration = Duration::from_secs(5);
/// The latest moment of a kill, in microseconds from the start: the programs run longer, or hardly so.
const LATEST_US: u64 = 400_000;
/// What the launcher returns for a node that was killed.
const KILLED: i32 = 128 + 9;

/// Runs the rounds.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    let bin = cargo::build_release(&["compat-tests", "dstd-launch", "word_count"])?;
    let rounds = arguments.number("--rounds").unwrap_or(ROUNDS);
    let seed = match arguments.number("--from") {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(UNIX_EPOCH).map_err(while_doing("the clock"))?.as_secs(),
    };
    let command = format!("cargo xtask drill --rounds {rounds} --from {seed}");
    println!("drill: replay with {command}");
    let mut seconds = Vec::new();
    for round in 0..rounds {
        let random = mix(seed.wrapping_add(round));
        let program = if round % 2 == 0 { scenario(&bin) } else { word_count(&bin) };
        let transport = if round % 4 < 2 { "tcp" } else { "shm" };
        match one(&bin, transport, &program, random)? {
            Some(time) => seconds.push(time),
            None => println!("drill: round {round} had ended before the kill"),
        }
    }
    if seconds.is_empty() {
        return cannot("every program had ended before its kill");
    }
    let kills = seconds.len() as f64;
    let slowest = seconds.iter().copied().fold(0.0, f64::max);
    let row = Row { value: slowest, ..Row::of_many("slowest end after a kill", seconds, "s", &command) };
    rows.push(row.target("<=", BOUND.as_secs_f64()));
    rows.push(Row::new("kills", kills, "kills", &command));
    rows.iter().for_each(Row::show);
    Ok(())
}

/// One program, one kill: the seconds from the kill to the end, nothing if it had ended before.
fn one(bin: &Path, transport: &str, program: &[PathBuf], random: u64) -> Verdict<Option<f64>> {
    let mut launch = Command::new(bin.join("dstd-launch"));
    launch.args(["-n", &NODES.to_string(), "--transport", transport, "--no-direct", "--"]).args(program);
    let mut running = Running::start(&mut launch)?;
    thread::sleep(Duration::from_micros(random % LATEST_US));
    let nodes = running.nodes();
    let Some(victim) = nodes.get((random >> 32) as usize % nodes.len().max(1)) else {
        return match running.wait(BOUND)? {
            Some(0) => Ok(None),
            other => fail(format!("{program:?} ended with {other:?} and nobody was killed")),
        };
    };
    let start = Instant::now();
    kill(*victim);
    let code = running.wait(4 * BOUND)?;
    let time = start.elapsed().as_secs_f64();
    let left = running.nodes();
    match code {
        _ if !left.is_empty() => fail(format!("{program:?} left processes behind: {left:?}")),
        Some(KILLED) => Ok(Some(time)),
        Some(0) => Ok(None),
        other => fail(format!("{program:?} with process {victim} killed ended with {other:?}, not {KILLED}")),
    }
}

fn scenario(bin: &Path) -> [PathBuf; 2] {
    [bin.join("scenarios"), "run_on".into()]
}

fn word_count(bin: &Path) -> [PathBuf; 2] {
    [bin.join("word_count"), tree::root().join("examples/word_count/data/kjv.txt")]
}

/// Spreads a counter over all bits (the finaliser of splitmix64).
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
