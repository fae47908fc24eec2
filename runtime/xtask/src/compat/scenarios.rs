//! Every scenario on real std and on several nodes.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::cargo;
use crate::processes::Running;
use crate::row::Row;
use crate::tree;
use crate::verdict::{Verdict, cannot, while_doing};

/// A scenario that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs all; one row each, 1 for passed.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    if arguments.word("--facade").is_some() || arguments.flag("--sample") || arguments.flag("--write") {
        return cannot("scenarios take --nodes alone: they have no facade, no sample and no table");
    }
    let nodes = arguments.number("--nodes").unwrap_or(3).to_string();
    let bin = cargo::build_release(&["compat-tests", "compat-on-std", "dstd-launch"])?;
    let on_std = bin.join("scenarios_on_std");
    let list = Command::new(&on_std).arg("list").output().map_err(while_doing("the list of scenarios"))?;
    let names = String::from_utf8_lossy(&list.stdout).into_owned();
    if !list.status.success() || names.is_empty() {
        return cannot(format!("{} names no scenario ({})", on_std.display(), list.status));
    }
    let logs = tree::target("compat")?.join("run/scenarios");
    fs::create_dir_all(&logs).map_err(while_doing(logs.display()))?;
    for name in names.lines() {
        let log = |place: &str| logs.join(format!("{name}, {place}.log"));
        let (passed_std, seconds_std) = timed(Command::new(&on_std).arg(name), name, &log("std"))?;
        if !passed_std {
            return cannot(format!("{name} fails on real std, so it is a wrong scenario"));
        }
        let mut command = launched(&bin, &nodes, name);
        let words = format!("dstd-launch -n {nodes} --transport tcp --no-direct -- scenarios {name}");
        let (passed, seconds) = timed(&mut command, name, &log(&format!("{nodes} nodes")))?;
        let passed = f64::from(u8::from(passed));
        rows.push(Row::new(format!("{name} passes"), passed, "bool", &words).target("==", 1.0));
        rows.push(Row::new(format!("{name} time"), seconds, "s", &words).beside("std", seconds_std));
        rows[rows.len() - 2..].iter().for_each(Row::show);
    }
    Ok(())
}

fn launched(bin: &Path, nodes: &str, name: &str) -> Command {
    let mut command = Command::new(bin.join("dstd-launch"));
    command
        .args(["-n", nodes, "--transport", "tcp", "--no-direct", "--"])
        .arg(bin.join("scenarios"))
        .arg(name);
    command
}

/// Whether the scenario says that all is well, and after how many seconds.
fn timed(command: &mut Command, name: &str, log: &Path) -> Verdict<(bool, f64)> {
    let start = Instant::now();
    let output = File::create(log).map_err(while_doing(log.display()))?;
    let code = Running::start_into(command, output)?.wait(PATIENCE)?;
    let seconds = start.elapsed().as_secs_f64();
    let said = fs::read(log).map_err(while_doing(log.display()))?;
    let well = String::from_utf8_lossy(&said).lines().any(|line| line.starts_with(&format!("ok {name} ")));
    Ok((code == Some(0) && well, seconds))
}
