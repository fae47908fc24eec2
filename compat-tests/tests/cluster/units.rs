//! The harness of std's own suites: how it charges units, and what it counts as network.

use std::collections::BTreeMap;
use std::fs;

use crate::harness::{Scratch, alone, launch};

const UNITS: &str = env!("CARGO_BIN_EXE_units");

/// Runs units on three nodes that share nothing; the lines of results by unit.
fn results(names: &[&str], mode: &[&str]) -> (i32, BTreeMap<String, Vec<String>>) {
    let scratch = Scratch::new();
    let (units, results) = (scratch.file("units"), scratch.file("results"));
    fs::write(&units, names.join("\n")).expect("the directory is ours");
    let mut run = launch(["-n", "3", "--no-direct", "--placement", "remote"], [UNITS, "--units"]);
    run = run.argument(units).argument("--results").argument(&results);
    let ended = mode.iter().fold(run, |run, word| run.argument(*word)).start().finish();
    let text = fs::read_to_string(&results).expect("the program has written it");
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, '\t');
        let (Some(what), Some(name)) = (fields.next(), fields.next()) else {
            panic!("{line:?} says nothing")
        };
        let line = format!("{what} {}", fields.next().unwrap_or_default());
        lines.entry(name.to_owned()).or_default().push(line);
    }
    (ended.code, lines)
}

/// How often a unit used the network that has passed.
fn network(lines: &BTreeMap<String, Vec<String>>, name: &str) -> u64 {
    let lines = lines.get(name).map(Vec::as_slice).unwrap_or_default();
    let [begin, end] = lines else { panic!("{name} has {lines:?}") };
    assert_eq!(begin, "begin ");
    end.strip_prefix("passed ")
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{name}: {end}"))
}

#[test]
fn units_end_as_they_do() {
    let names = ["fates::error", "fates::panic", "fates::wanted_panic", "fates::nothing"];
    for mode in [&[][..], &["--steal"]] {
        let (code, lines) = results(&names, mode);
        assert_eq!((code, lines.len()), (0, names.len()), "{lines:?}");
        let end = |name: &str| {
            lines.get(name).and_then(|lines| lines.get(1)).map(String::as_str).unwrap_or_default()
        };
        assert!(end("fates::error").starts_with("failed ") && end("fates::error").ends_with("no"));
        assert!(end("fates::panic").starts_with("failed ") && end("fates::panic").ends_with("panicked: oh"));
        assert!(end("fates::wanted_panic").starts_with("passed "));
        assert_eq!(network(&lines, "fates::nothing"), 0);
    }
}

#[test]
fn a_unit_that_ends_the_program_is_the_last_that_began() {
    let (code, lines) = results(&["fates::nothing", "fates::dies", "fates::hangs"], &[]);
    assert_eq!(code, 3);
    assert_eq!(lines.get("fates::dies"), Some(&vec!["begin ".to_owned()]));
    assert_eq!((network(&lines, "fates::nothing"), lines.len()), (0, 2));
}

#[test]
fn what_is_stolen_from_meets_faults() {
    let names = ["fates::nothing", "fates::allocates", "fates::grows", "fates::spawns"];
    let (_, robbed) = results(&names, &["--steal"]);
    assert_eq!(network(&robbed, "fates::nothing"), 0);
    assert!(network(&robbed, "fates::allocates") > 0 && network(&robbed, "fates::grows") > 0, "{robbed:?}");
    let (_, alone) = results(&names, &[]);
    assert_eq!((network(&alone, "fates::allocates"), network(&alone, "fates::grows")), (0, 0));
    assert!(network(&alone, "fates::spawns") > 0);
}

#[test]
fn ignored_units_are_not_listed() {
    let ended = alone(UNITS, ["--list"]).finish().with_code(0);
    assert!(ended.stdout.contains("fates::nothing\n") && !ended.stdout.contains("ignored"));
}
