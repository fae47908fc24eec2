//! Targets on which a program has one node: the facades compile there, and say so when launched.

use std::process::{Command, Stdio};

use crate::row::Row;
use crate::verdict::{Verdict, fail, while_doing};
use crate::{cargo, tree};

/// Targets that are only compiled for.
const TARGETS: [&str; 3] = ["aarch64-apple-darwin", "x86_64-pc-windows-msvc", "aarch64-unknown-linux-gnu"];
/// A target whose programs run on this machine.
const RUNS_HERE: &str = "x86_64-unknown-linux-musl";
const PACKAGES: [&str; 10] =
    ["-p", "dstd", "-p", "dstd-std", "-p", "dstd-launch", "-p", "word_count", "-p", "port_a_std_program"];
/// The status of a program or a launcher that cannot make several nodes here.
const CANNOT: i32 = 72;

/// Checks every target that can be installed.
pub(crate) fn run(rows: &mut Vec<Row>) -> Verdict {
    let mut checked = 0;
    for target in TARGETS.into_iter().filter(|target| install(target)) {
        let words = [&["check", "--quiet", "--target", target], &PACKAGES[..]].concat();
        cargo::passes(cargo::cargo(&words).env("RUSTFLAGS", "-D warnings"))?;
        println!("{target}: compiles");
        checked += 1;
    }
    if install(RUNS_HERE) {
        let words = [&["build", "--quiet", "--target", RUNS_HERE], &PACKAGES[..]].concat();
        cargo::run(&words)?;
        one_node()?;
        println!("{RUNS_HERE}: runs as one node, and refuses to be one of several");
        checked += 1;
    }
    if checked == 0 {
        return fail(
            "no target can be installed: connect to the network, or add one by `rustup target add`"
                .to_owned(),
        );
    }
    rows.push(Row::new("elsewhere.targets", f64::from(checked), "targets", "cargo xtask elsewhere"));
    Ok(())
}

/// Whether programs can be compiled for `target` now; says so when not.
fn install(target: &str) -> bool {
    let added = Command::new("rustup")
        .args(["target", "add", target])
        .current_dir(tree::root())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let there = added.is_ok_and(|status| status.success());
    if !there {
        println!("{target}: cannot be installed here, not checked");
    }
    there
}

/// The programs of [`RUNS_HERE`] do by themselves what they do elsewhere, and end with words when launched.
fn one_node() -> Verdict {
    let release = cargo::release()?;
    let programs = release.with_file_name(RUNS_HERE).join("debug");
    let text = tree::root().join("examples/word_count/data/kjv.txt");
    let mut word_count = Command::new(programs.join("word_count"));
    word_count.arg(&text);
    let output = word_count.output().map_err(while_doing("word_count"))?;
    if !output.status.success() || output.stdout.is_empty() {
        return fail(format!("{word_count:?} ended with {}", output.status));
    }
    let mut launched = Command::new(programs.join("word_count"));
    launched.arg(&text).env("DSTD_SIZE", "2");
    let mut launcher = Command::new(programs.join("dstd-launch"));
    launcher.args(["-n", "2", "word_count"]);
    for command in [&mut launched, &mut launcher] {
        let output = command.output().map_err(while_doing(format!("{command:?}")))?;
        if output.status.code() != Some(CANNOT)
            || !output.stderr.starts_with(b"dstd: ")
            || !output.stdout.is_empty()
        {
            return fail(format!("{command:?} ended with {} instead of {CANNOT} and words", output.status));
        }
    }
    Ok(())
}
