//! What running with dstd costs, beside std.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::processes::Running;
use crate::row::Row;
use crate::verdict::{Verdict, fail, while_doing};
use crate::{cargo, modes, tree};

const TIMES: usize = 5;
const PATIENCE: Duration = Duration::from_secs(300);

/// Measures all.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    operations(rows)?;
    word_count(rows)?;
    rows.iter().for_each(Row::show);
    modes::run(arguments, rows)
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
