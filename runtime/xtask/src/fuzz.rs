//! Feeds decoders with bytes that nobody would send: `cargo fuzz`, led by coverage.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Instant, SystemTime};
use std::{env, fs, io};

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
/// The version of cargo-fuzz.
const CARGO_FUZZ: &str = "0.13.2";

/// First the committed corpus, then `--seconds` of new inputs for each target.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    let start = Instant::now();
    let seconds = arguments.number("--seconds").unwrap_or(SECONDS);
    // libFuzzer takes 0 for "choose one".
    let seed = arguments.number("--from").unwrap_or_else(some_seed).max(1);
    let programs = build()?;
    // What an earlier run has found would show it the way.
    empty(&found_by(&programs, CANARY))?;
    let found = feed(&programs, CANARY, None, CANARY_SECONDS, seed)?;
    let said = String::from_utf8_lossy(&found.stderr);
    if found.status.success() || !said.contains("the mistake") {
        return fail(format!(
            "{said}\nthe mistake of {CANARY} was not found in {CANARY_SECONDS} s of seed {seed}"
        ));
    }
    println!("{CANARY}: its mistake was found");
    for name in TARGETS {
        println!("{name}: seed {seed}");
        let corpus = corpus(name)?;
        judge(&programs, name, &feed(&programs, name, Some(corpus), seconds, seed)?)?;
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
        return cannot(format!(
            "this needs cargo-fuzz: cargo install --locked cargo-fuzz --version {CARGO_FUZZ}"
        ));
    }
    let host = nightly::host()?;
    let target = tree::target("fuzz")?;
    let directory = tree::root().join("runtime/fuzz").display().to_string();
    let words = ["fuzz", "build", "--fuzz-dir", &directory, "--target", &host];
    cargo::passes(nightly::cargo("rust-src", &words)?.env("CARGO_TARGET_DIR", &target))?;
    Ok(target.join(host).join("release"))
}

/// The committed inputs for a target.
fn corpus(name: &str) -> Verdict<PathBuf> {
    let corpus = tree::root().join("runtime/fuzz/corpus").join(name);
    let mut files = fs::read_dir(&corpus).map_err(while_doing(corpus.display()))?;
    if files.next().is_some() { Ok(corpus) } else { fail(format!("{} is empty", corpus.display())) }
}

/// New inputs that reach further stay here, for the next run on this machine.
fn found_by(programs: &Path, name: &str) -> PathBuf {
    programs.join(format!("{name}.found"))
}

fn empty(directory: &Path) -> Verdict {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(while_doing(directory.display())(error)),
        _ => Ok(()),
    }
}

fn feed(programs: &Path, name: &str, corpus: Option<PathBuf>, seconds: u64, seed: u64) -> Verdict<Output> {
    let program = programs.join(name);
    let found = found_by(programs, name);
    fs::create_dir_all(&found).map_err(while_doing(found.display()))?;
    let mut command = Command::new(&program);
    command
        .arg(format!("-seed={seed}"))
        .arg(format!("-max_total_time={seconds}"))
        .args(["-max_len=4096", "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/{name}.", env::temp_dir().display()))
        .arg(&found)
        .args(corpus);
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
    match units(&said) {
        Some(units) if units > 0 => {
            println!("{name}: {units} inputs, nothing found");
            Ok(())
        }
        _ => fail(format!("{said}\n{name} was fed nothing")),
    }
}

/// How many inputs libFuzzer says it has run.
fn units(said: &str) -> Option<u64> {
    said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?.trim().parse().ok()
}

fn some_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(1, |now| u64::from(now.subsec_nanos()))
}
