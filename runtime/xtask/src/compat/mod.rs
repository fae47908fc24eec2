//! Is it std? Std's own suites on the facades, held against real std.
//!
//! ```text
//! library ── suite ──┬── in_source   files of a suite, as they are for real std
//!                    └── examples
//! facade ── rewrite                  what stands in std's place
//! package ── messages                built, without the single items that do not compile
//! units                              run, and judged
//! ```

mod examples;
mod facade;
mod in_source;
mod library;
mod messages;
mod package;
mod rewrite;
mod sample;
mod scenarios;
mod suite;

use std::path::{Path, PathBuf};

use crate::arguments::Arguments;
use crate::cargo;
use crate::row::Row;
use crate::tree;
use crate::units::facade::Facade;
use crate::units::gaps::Gaps;
use crate::units::play::Outcome;
use crate::units::results::{Results, Where};
use crate::units::table::Table;
use crate::units::{self, Program, expected};
use crate::verdict::{Verdict, cannot, fail};
use library::Library;
use package::{Package, Sources};
use suite::{SUITES, Suite};

/// The command whose table this is.
const COMMAND: &str = "compat";

/// What the options ask for.
struct Order {
    suites: Vec<&'static Suite>,
    facades: Vec<Facade>,
    nodes: Vec<u64>,
    sample: bool,
    write: bool,
}

/// Runs what the options ask for; everything, if they ask for nothing.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    if arguments.word("--module") == Some("scenarios") {
        return scenarios::run(arguments, rows);
    }
    let order = Order::read(arguments)?;
    let library = Library::find()?;
    let bin = cargo::build_release(&["dstd-launch"])?;
    let mut results = Results::default();
    for suite in &order.suites {
        let mut files = suite.files(&library)?;
        if order.sample {
            files = sample::of_files(files)?;
        }
        let sources = Sources { files, ..Sources::default() };
        let mut package = Package::new(suite.name, Facade::Std, sources)?;
        let control = control(suite, &package.build()?)?;
        let sources = package.into_sources();
        results.add_control(suite.name, &control);
        for &facade in &order.facades {
            let mut package = Package::new(suite.name, facade, sources.clone())?;
            let (path, launcher) = (package.build()?, bin.join("dstd-launch"));
            let program = Program { path: &path, launcher: &launcher, patience: units::PATIENCE };
            results.add_lost(suite.name, facade, package.lost());
            for &nodes in &order.nodes {
                let place = Where { facade, nodes };
                let outcomes = units::on_nodes(&program, place, &control, runs(suite, &place.name())?)?;
                results.add(suite.name, place, &outcomes);
            }
        }
    }
    rows.extend(results.rows("cargo xtask compat --module"));
    if order.is_full() || order.sample {
        rows.extend(suite::shares(&results));
    }
    order.judge(&library.version, &results)
}

impl Order {
    fn read(arguments: &Arguments) -> Verdict<Order> {
        let module = arguments.word("--module");
        let suites: Vec<&Suite> =
            SUITES.iter().filter(|suite| module.is_none_or(|module| suite.name == module)).collect();
        if suites.is_empty() {
            let names: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
            return cannot(format!("--module is one of {} and scenarios", names.join(", ")));
        }
        let (sample, write) = (arguments.flag("--sample"), arguments.flag("--write"));
        let nodes = units::facade::nodes(arguments, if sample { &[3] } else { &[1, 3] })?;
        Ok(Order { suites, facades: units::facade::facades(arguments)?, nodes, sample, write })
    }

    /// Whether the whole table is made.
    fn is_full(&self) -> bool {
        !self.sample && self.suites.len() == SUITES.len() && self.facades.len() == 2 && self.nodes.len() == 2
    }

    /// Holds the results against what is written down, or writes them down.
    fn judge(&self, version: &str, results: &Results) -> Verdict {
        let gaps = Gaps::read()?;
        let mut wrong = gaps.unlisted(results);
        if !self.sample && self.facades.len() == 2 && self.nodes.len() == 2 {
            wrong.extend(gaps.stale(results));
        }
        let version = if self.sample { format!("{version}-sample") } else { version.to_owned() };
        if self.write {
            expected::write(&version, &results.control)?;
        } else {
            wrong.extend(expected::lower(&version, &results.control)?);
        }
        if !self.sample {
            let mut table = Table::written(COMMAND)?;
            if self.write {
                table.update(results);
                table.write(COMMAND)?;
            }
            wrong.extend(table.differences(results));
        }
        wrong.extend(results.lost.iter().cloned());
        if wrong.is_empty() { Ok(()) } else { fail(wrong.join("\n")) }
    }
}

/// The units that real std passes.
fn control(suite: &Suite, program: &Path) -> Verdict<Vec<String>> {
    let outcomes = units::on_std(program, runs(suite, "std")?)?;
    if outcomes.is_empty() {
        return cannot(format!("{} --list names no unit", program.display()));
    }
    for (name, outcome) in &outcomes {
        if let Some(wrong) = outcome.wrong() {
            println!("{}::{name} on real std: {wrong}", suite.name);
        }
    }
    let passed = outcomes.into_iter().filter(|(_, outcome)| matches!(outcome, Outcome::Passed(_)));
    Ok(passed.map(|(name, _)| name).collect())
}

/// Where the files of a suite's runs are.
fn runs(suite: &Suite, place: &str) -> Verdict<PathBuf> {
    Ok(tree::target("compat")?.join("run").join(format!("{}, {place}", suite.name)))
}
