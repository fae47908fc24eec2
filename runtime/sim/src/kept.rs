//! Runs that failed once, kept for ever.

use crate::Scenario;

/// One a line: seed, scenario; `#` begins a remark.
const FILE: &str = include_str!("../seeds/failed.txt");

/// Seeds that failed once, with their scenarios.
///
/// # Panics
/// When a line of `seeds/failed.txt` is something else.
pub fn failed_once() -> Vec<(u64, Scenario)> {
    let lines = FILE.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(parse).collect()
}

fn parse(line: &str) -> (u64, Scenario) {
    let (seed, name) = line.split_once(' ').expect("a line is a seed and a scenario");
    let scenario = Scenario::ALL.into_iter().find(|scenario| format!("{scenario:?}") == name.trim());
    (seed.parse().expect("a seed is a number"), scenario.expect("a scenario has this name"))
}
