//! The suites that threaded crates ship in their packages, which nobody here wrote: built from what their authors published
//! with real std, with dstd renamed to `std`, and with `use dstd`; library and tests alike.
//!
//! ```text
//! list ── workspace (registry, swap, items)       packages as published, and swapped
//! build ── compiler                               their test programs, with the harness of units
//! units                                           run, and judged
//! notes ── timed (items)                          what was changed, and what depends on time
//! ```

mod build;
pub(crate) mod compiler;
mod items;
mod list;
mod notes;
mod timed;
mod workspace;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::arguments::Arguments;
use crate::cargo;
use crate::marked::Marked;
use crate::registry;
use crate::row::Row;
use crate::tree;
use crate::units::facade::{self, Facade};
use crate::units::gaps::Gaps;
use crate::units::play::Outcome;
use crate::units::results::{Results, Where};
use crate::units::table::Table;
use crate::units::{self, Program, expected};
use crate::verdict::{Verdict, Wrong, cannot, fail};
use list::{SUITES, Suite};
use notes::Notes;
use timed::Timed;
use workspace::Workspace;

/// The file of expected counts.
const EXPECTED: &str = "suites";
/// Some units hand over a million values one by one, which takes minutes between nodes.
const PATIENCE: Duration = Duration::from_secs(600);
/// A unit that depends on time may be late because the machine is busy: so often it may try.
const ATTEMPTS: u32 = 3;

/// The units that real std passes, by test program.
type Control = BTreeMap<String, Vec<String>>;

/// What the options ask for.
struct Order {
    suites: Vec<&'static Suite>,
    facades: Vec<Facade>,
    nodes: Vec<u64>,
    write: bool,
}

/// A run of the command.
struct Run {
    order: Order,
    launcher: PathBuf,
    cargo_dstd: PathBuf,
    results: Results,
    notes: Notes,
}

/// Runs what the options ask for; everything, if they ask for nothing.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    let order = Order::read(arguments)?;
    let bin = cargo::build_release(&["dstd-launch"])?;
    let (launcher, cargo_dstd) = (bin.join("dstd-launch"), bin.join("cargo-dstd"));
    let mut run = Run { order, launcher, cargo_dstd, results: Results::default(), notes: Notes::default() };
    let make = |facade, fewer| Workspace::make(facade, fewer, &run.cargo_dstd);
    let mut workspaces = vec![make(Facade::Std, false)?];
    for &facade in &run.order.facades {
        workspaces.push(make(facade, false)?);
        if run.order.nodes.contains(&3) && run.order.suites.iter().any(|suite| suite.counts) {
            workspaces.push(make(facade, true)?);
        }
    }
    for suite in run.order.suites.clone() {
        run.suite(suite, &workspaces)?;
    }
    rows.extend(run.results.rows("cargo xtask suites --name"));
    // That of a facade has everything that real std's has.
    if let (true, Some(last)) = (run.order.write, workspaces.last()) {
        last.keep_versions()?;
    }
    run.judge()
}

impl Order {
    fn read(arguments: &Arguments) -> Verdict<Order> {
        let (name, sample) = (arguments.word("--name"), arguments.flag("--sample"));
        let suites: Vec<&Suite> = SUITES
            .iter()
            .filter(|suite| name.is_none_or(|name| suite.name() == name) && (suite.sample || !sample))
            .collect();
        if suites.is_empty() {
            let names: Vec<&str> = SUITES.iter().map(Suite::name).collect();
            return cannot(format!("--name is one of {}", names.join(", ")));
        }
        let nodes = facade::nodes(arguments, if sample { &[3] } else { &[1, 3] })?;
        let facades = facade::facades(arguments)?;
        Ok(Order { suites, facades, nodes, write: arguments.flag("--write") })
    }
}

impl Run {
    /// Builds and runs one, everywhere.
    fn suite(&mut self, suite: &Suite, workspaces: &[Workspace]) -> Verdict {
        let label = suite.label();
        let built = |facade, fewer| -> Verdict<BTreeMap<String, PathBuf>> {
            let mut all = workspaces.iter().filter(|all| all.facade == facade && all.fewer == fewer);
            all.next().map_or_else(|| Ok(BTreeMap::new()), |all| build::build(suite, all, &self.cargo_dstd))
        };
        let mut control = Control::new();
        let mut timed = Timed::default();
        for package in registry::fetch(&[suite.package])? {
            timed = Timed::of(&package)?;
        }
        for (program, path) in built(Facade::Std, false)? {
            let run = |_: &[String]| units::on_std(&path, runs(&label, &program, "std")?);
            let units = passed(&label, &program, again(&timed, &program, Vec::new(), run)?);
            control.insert(program, units);
        }
        let names: Vec<String> = named(&control).collect();
        println!("{label}, std: {} passed", names.len());
        if names.is_empty() {
            return cannot(format!("real std passes no unit of {label}"));
        }
        self.results.add_control(&label, &names);
        for facade in self.order.facades.clone() {
            let published = built(facade, false)?;
            let fewer = if suite.counts { built(facade, true)? } else { BTreeMap::new() };
            for nodes in self.order.nodes.clone() {
                let place = Where { facade, nodes };
                let programs = [&published, if nodes > 1 { &fewer } else { &published }];
                let outcomes = self.everything(&label, place, &control, programs, &timed)?;
                self.results.add(&label, place, &outcomes);
            }
        }
        self.note(suite, workspaces, &timed, &names)
    }

    /// How all units of a suite end at a place, in the second ones of these programs as far as they have them.
    fn everything(
        &self,
        label: &str,
        place: Where,
        control: &Control,
        programs: [&BTreeMap<String, PathBuf>; 2],
        timed: &Timed,
    ) -> Verdict<BTreeMap<String, Outcome>> {
        let mut outcomes = BTreeMap::new();
        for (program, units) in control {
            let [published, fewer] = programs.map(|programs| programs.get(program).map(PathBuf::as_path));
            let there = fewer.map(units::list).transpose()?.unwrap_or_default();
            let (first, second): (Vec<String>, Vec<String>) =
                units.iter().cloned().partition(|unit| there.contains(unit));
            for (path, units, files) in [(fewer, first, "first"), (published, second, "second")] {
                if units.is_empty() {
                    continue;
                }
                let place_of = runs(label, program, &format!("{}, {files}", place.name()))?;
                let run = |units: &[String]| self.program(path, place, units, place_of.clone());
                let ended = again(timed, program, units, run)?;
                outcomes.extend(ended.into_iter().map(|(unit, end)| (format!("{program}::{unit}"), end)));
            }
        }
        Ok(outcomes)
    }

    /// How the units of one program end.
    fn program(
        &self,
        path: Option<&Path>,
        place: Where,
        names: &[String],
        runs: PathBuf,
    ) -> Verdict<BTreeMap<String, Outcome>> {
        let all = |outcome: Outcome| names.iter().map(|name| (name.clone(), outcome.clone())).collect();
        let Some(path) = path else { return Ok(all(Outcome::NotBuilt)) };
        let program = Program { path, launcher: &self.launcher, patience: PATIENCE };
        match units::on_nodes(&program, place, names, runs) {
            // A program that does not even begin has failed, and the others run.
            Err(Wrong::CouldNotRun(words)) => Ok(all(Outcome::Died(words))),
            ended => ended,
        }
    }

    /// What is said of a suite beside the numbers.
    fn note(&mut self, suite: &Suite, workspaces: &[Workspace], timed: &Timed, units: &[String]) -> Verdict {
        let changed = |facade| {
            let workspace = workspaces.iter().find(|workspace| workspace.facade == facade);
            workspace.and_then(|workspace| workspace.changed.get(suite.name())).copied()
        };
        if let (Some(renamed), Some(swapped)) = (changed(Facade::DstdStd), changed(Facade::Dstd)) {
            self.notes.changed(suite, renamed, swapped);
        }
        self.notes.timed(suite, timed, units, &Gaps::read()?);
        Ok(())
    }

    /// Holds what came out against what is written down, or writes it down.
    fn judge(self) -> Verdict {
        let Run { order, results, notes, .. } = self;
        let gaps = Gaps::read()?;
        let mut wrong = gaps.unlisted(&results);
        if order.facades.len() == 2 && order.nodes.len() == 2 {
            wrong.extend(gaps.stale(&results));
        }
        let place = Marked::new("compat-tests/README.md", "suites");
        let written = place.read()?;
        let (mut table, mut beside) = (Table::parse(&written), Notes::parse(&written));
        wrong.extend(table_differences(&order, &table, &results, &beside, &notes));
        if order.write {
            expected::write(EXPECTED, &results.control)?;
            table.update(&results);
            beside.update(notes);
            let labels: Vec<String> = SUITES.iter().map(Suite::label).collect();
            table.retain(&labels);
            beside.retain(&labels);
            place.write(&format!("{}{}", table.render(), beside.render()))?;
        } else {
            wrong.extend(expected::lower(EXPECTED, &results.control)?);
        }
        if wrong.is_empty() { Ok(()) } else { fail(wrong.join("\n")) }
    }
}

/// What is written and is not so any more; nothing where it is about to be written.
fn table_differences(
    order: &Order,
    table: &Table,
    results: &Results,
    beside: &Notes,
    notes: &Notes,
) -> Vec<String> {
    if order.write {
        return Vec::new();
    }
    [table.differences(results), beside.differences(notes)].concat()
}

/// Runs units of a program; those that depend on time and fail are tried again.
fn again(
    timed: &Timed,
    program: &str,
    units: Vec<String>,
    run: impl Fn(&[String]) -> Verdict<BTreeMap<String, Outcome>>,
) -> Verdict<BTreeMap<String, Outcome>> {
    let mut outcomes = run(&units)?;
    for _ in 1..ATTEMPTS {
        let late = |unit: &str| timed.reason(&format!("{program}::{unit}")).is_some();
        let failed: Vec<String> = outcomes
            .iter()
            .filter(|(unit, outcome)| matches!(outcome, Outcome::Failed(_)) && late(unit))
            .map(|(unit, _)| unit.clone())
            .collect();
        if failed.is_empty() {
            break;
        }
        outcomes.extend(run(&failed)?.into_iter().filter(|(unit, _)| failed.contains(unit)));
    }
    Ok(outcomes)
}

/// The units that real std passes; the others are told.
fn passed(label: &str, program: &str, outcomes: BTreeMap<String, Outcome>) -> Vec<String> {
    let mut units = Vec::new();
    for (unit, outcome) in outcomes {
        match outcome.wrong() {
            Some(wrong) => println!("{label}::{program}::{unit} on real std: {wrong}"),
            None => units.push(unit),
        }
    }
    units
}

/// The names of all units, with their programs.
fn named(control: &Control) -> impl Iterator<Item = String> {
    control.iter().flat_map(|(program, units)| units.iter().map(move |unit| format!("{program}::{unit}")))
}

/// Where the files of a program's runs are.
fn runs(label: &str, program: &str, place: &str) -> Verdict<PathBuf> {
    Ok(tree::target("suites")?.join("run").join(label).join(program).join(place))
}
