//! What building and running with dstd costs, beside std.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::processes::Running;
use crate::row::Row;
use crate::verdict::{Verdict, fail, while_doing};
use crate::{cargo, modes, tree};

const TIMES: usize = 5;
const PATIENCE: Duration = Duration::from_secs(300);
const HELLO: &str = "use NAME::thread;\n\nfn main() {\n    let words = String::from(\"hello\");\n    thread::spawn(move || println!(\"{words}\")).join().unwrap();\n}\n";

/// Measures all.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    hello(rows)?;
    operations(rows)?;
    word_count(rows)?;
    rows.iter().for_each(Row::show);
    modes::run(arguments, rows)
}

/// A clean release build of a swapped hello world: crates and seconds.
fn hello(rows: &mut Vec<Row>) -> Verdict {
    let scratch = Scratch::new()?;
    let dependency = format!("dstd = {{ path = {:?} }}\n", tree::root().join("dstd"));
    let (crates, seconds) = build(&scratch.0.join("hello_dstd"), "dstd", &dependency)?;
    let (crates_std, seconds_std) = build(&scratch.0.join("hello_std"), "std", "")?;
    let command = "cargo build --release of a hello world in an empty target directory";
    rows.push(Row::new("hello world: crates", crates, "crates", command).beside("std", crates_std));
    rows.push(Row::new("hello world: clean build", seconds, "s", command).beside("std", seconds_std));
    Ok(())
}

/// Builds a package from nothing; the number of crates and the seconds.
fn build(package: &Path, name: &str, dependency: &str) -> Verdict<(f64, f64)> {
    let source = package.join("src");
    fs::create_dir_all(&source).map_err(while_doing(package.display()))?;
    let manifest = format!(
        "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{dependency}"
    );
    for (file, text) in
        [(package.join("Cargo.toml"), manifest), (source.join("main.rs"), HELLO.replace("NAME", name))]
    {
        fs::write(&file, text).map_err(while_doing(file.display()))?;
    }
    // The same versions as in the workspace, and no look at a registry while the clock runs.
    let lock = tree::root().join("Cargo.lock");
    fs::copy(&lock, package.join("Cargo.lock")).map_err(while_doing(lock.display()))?;
    let cargo = |words: &[&str]| {
        let mut command = cargo::cargo(words);
        command.current_dir(package).env("CARGO_TARGET_DIR", package.join("target"));
        command
    };
    cargo::passes(&mut cargo(&["fetch", "--quiet"]))?;
    let start = Instant::now();
    let built = cargo(&["build", "--release"]).output().map_err(while_doing("cargo build"))?;
    let seconds = start.elapsed().as_secs_f64();
    let words = String::from_utf8_lossy(&built.stderr);
    if !built.status.success() {
        return fail(format!("the hello world for {name} does not build:\n{words}"));
    }
    let crates = words.lines().filter(|line| line.trim_start().starts_with("Compiling ")).count();
    Ok((crates as f64, seconds))
}

/// Single operations between two nodes, beside the same on one.
fn operations(rows: &mut Vec<Row>) -> Verdict {
    let bin = cargo::build_release(&["compat-tests", "dstd-launch"])?;
    let alone = measured(&mut Command::new(bin.join("measure")))?;
    let mut launch = Command::new(bin.join("dstd-launch"));
    launch.args(["-n", "2", "--transport", "tcp", "--no-direct", "--"]).arg(bin.join("measure"));
    let between = measured(&mut launch)?;
    let command = "target/release/dstd-launch -n 2 --transport tcp --no-direct -- target/release/measure";
    for ((name, [lo, median, hi], count), (_, [_, local, _], _)) in between.into_iter().zip(alone) {
        let row = Row { range: Some((lo, hi)), count, ..Row::new(name, median, "us", command) };
        rows.push(row.beside("one node", local));
    }
    Ok(())
}

/// The lines of `measure`: name; smallest, median, largest; how many.
pub(crate) fn measured(command: &mut Command) -> Verdict<Vec<(String, [f64; 3], usize)>> {
    let output = command.output().map_err(while_doing(format!("{command:?}")))?;
    if !output.status.success() {
        return fail(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let parse = |line: &str| {
        let mut fields = line.split('\t');
        let name = fields.next()?.to_owned();
        let mut number = || fields.next()?.parse::<f64>().ok();
        Some((name, [number()?, number()?, number()?], number()? as usize))
    };
    let lines = String::from_utf8_lossy(&output.stdout).lines().map(parse).collect();
    match lines {
        Some(lines) => Ok(lines),
        None => fail(format!("{command:?} prints something else")),
    }
}

/// The word count on one and on three nodes, beside std.
fn word_count(rows: &mut Vec<Row>) -> Verdict {
    let bin = cargo::build_release(&["word_count", "word_count_std", "dstd-launch"])?;
    let text = tree::root().join("examples/word_count/data/kjv.txt");
    let std = times(|| {
        let mut command = Command::new(bin.join("word_count_std"));
        command.arg(&text);
        command
    })?;
    let std = Row::of_many("word_count with std", std, "s", "target/release/word_count_std FILE");
    let alone = times(|| {
        let mut command = Command::new(bin.join("word_count"));
        command.arg(&text);
        command
    })?;
    rows.push(
        Row::of_many("word_count without launcher", alone, "s", "target/release/word_count FILE")
            .beside("std", std.value),
    );
    for nodes in ["1", "3"] {
        let seconds = times(|| {
            let mut command = Command::new(bin.join("dstd-launch"));
            command
                .args(["-n", nodes, "--transport", "tcp", "--no-direct", "--"])
                .arg(bin.join("word_count"))
                .arg(&text);
            command
        })?;
        let command = format!(
            "target/release/dstd-launch -n {nodes} --transport tcp --no-direct -- target/release/word_count FILE"
        );
        rows.push(
            Row::of_many(format!("word_count, nodes: {nodes}"), seconds, "s", command)
                .beside("std", std.value),
        );
    }
    rows.push(std);
    Ok(())
}

/// The seconds of several runs.
fn times(command: impl Fn() -> Command) -> Verdict<Vec<f64>> {
    (0..TIMES)
        .map(|_| {
            let start = Instant::now();
            let code = Running::start(&mut command())?.wait(PATIENCE)?;
            match code {
                Some(0) => Ok(start.elapsed().as_secs_f64()),
                other => fail(format!("{:?} ended with {other:?}", command())),
            }
        })
        .collect()
}

/// A directory that goes when it is no longer needed.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Verdict<Scratch> {
        let path = std::env::temp_dir().join(format!("dstd-bench-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(while_doing(path.display()))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}
