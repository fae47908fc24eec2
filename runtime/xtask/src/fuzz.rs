//! Feeds decoders with bytes that nobody would send: `cargo fuzz`, led by coverage.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Instant, SystemTime};
use std::{env, fs};

use crate::arguments::Arguments;
use crate::row::Row;
use crate::verdict::{Verdict, cannot, fail, while_doing};
use crate::{cargo, nightly, tree};

/// What is fed; each is a program of `runtime/fuzz`.
const TARGETS: [&str; 5] = ["codec", "stream", "peer", "wire", "frames"];
/// A decoder with a mistake.
const CANARY: &str = "canary";
/// How long each is fed, if nothing else is said.
const SECONDS: u64 = 12;
/// In this time the mistake is found; it takes a few.
const CANARY_SECONDS: u64 = 60;
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// First the committed corpus, then `--seconds` of new inputs for each target.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    let start = Instant::now();
    let seconds = arguments.number("--seconds").unwrap_or(SECONDS);
    // libFuzzer takes 0 for "choose one".
    let seed = arguments.number("--from").unwrap_or_else(some_seed).max(1);
    let programs = build()?;
    let found = feed(&programs, CANARY, CANARY, CANARY_SECONDS, seed)?;
    let said = String::from_utf8_lossy(&found.stderr);
    if found.status.success() || !said.contains("the mistake") {
        return fail(format!(
            "{said}\nthe mistake of {CANARY} was not found in {CANARY_SECONDS} s of seed {seed}"
        ));
    }
    println!("{CANARY}: its mistake was found");
    for name in TARGETS {
        println!("{name}: seed {seed}");
        judge(&programs, name, &feed(&programs, name, name, seconds, seed)?)?;
    }
    let command = format!("cargo xtask fuzz --seconds {seconds} --from {seed}");
    rows.push(Row::new("fuzz.targets", TARGETS.len() as f64, "targets", &command));
    rows.push(Row::new("fuzz.time", start.elapsed().as_secs_f64(), "s", &command));
    Ok(())
}

/// Builds all with coverage and the address sanitizer; the directory they are in.
fn build() -> Verdict<PathBuf> {
    let there = Command::new("cargo-fuzz").arg("--version").output();
    if !there.is_ok_and(|output| output.status.success()) {
        return cannot("this needs cargo-fuzz: cargo install --locked cargo-fuzz");
    }
    let target = tree::target("fuzz")?;
    let directory = tree::root().join("runtime/fuzz").display().to_string();
    let words = ["fuzz", "build", "--fuzz-dir", &directory, "--target", TARGET];
    cargo::passes(nightly::cargo("rust-src", &words)?.env("CARGO_TARGET_DIR", &target))?;
    Ok(target.join(TARGET).join("release"))
}

fn feed(programs: &Path, name: &str, corpus: &str, seconds: u64, seed: u64) -> Verdict<Output> {
    let program = programs.join(name);
    // New inputs that reach further stay here, for the next run on this machine.
    let found = programs.join(format!("{name}.found"));
    fs::create_dir_all(&found).map_err(while_doing(found.display()))?;
    let mut command = Command::new(&program);
    command
        .arg(format!("-seed={seed}"))
        .arg(format!("-max_total_time={seconds}"))
        .args(["-max_len=4096", "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/{name}.", env::temp_dir().display()))
        .arg(&found);
    let corpus = tree::root().join("runtime/fuzz/corpus").join(corpus);
    command.args(corpus.is_dir().then_some(corpus));
    command.output().map_err(while_doing(program.display()))
}

fn judge(programs: &Path, name: &str, output: &Output) -> Verdict {
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let input = said.lines().find_map(|line| line.split_once("Test unit written to "));
        let (program, status) = (programs.join(name), output.status);
        return fail(format!(
            "{said}\n{name} ended with {status}; repeat with {} {}",
            program.display(),
            input.map_or("", |(_, file)| file)
        ));
    }
    let units = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    println!("{name}: {} inputs, nothing found", units.unwrap_or("?").trim());
    Ok(())
}

fn some_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(1, |now| u64::from(now.subsec_nanos()))
}
