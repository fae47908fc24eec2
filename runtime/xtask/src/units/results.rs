//! What came out: numbers by suite and module, and which units failed.

use std::collections::BTreeMap;

use super::facade::Facade;
use super::play::Outcome;
use crate::row::Row;

/// A row of the tables: suite and module.
pub(crate) type Key = (String, String);

/// A facade on so many nodes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Where {
    pub(crate) facade: Facade,
    pub(crate) nodes: u64,
}

/// What passed of one module.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Count {
    /// Units that passed.
    pub(crate) passed: u64,
    /// Of those, how many used the network.
    pub(crate) met: u64,
}

/// The results of a run of the command.
#[derive(Default)]
pub(crate) struct Results {
    /// Units that real std passes.
    pub(crate) control: BTreeMap<Key, u64>,
    pub(crate) counts: BTreeMap<(Key, Where), Count>,
    /// Units of the control that a facade fails: name, where, why.
    pub(crate) failures: Vec<(String, Where, String)>,
    /// What does not compile and is no unit.
    pub(crate) lost: Vec<String>,
}

impl Results {
    /// Adds what real std passes of a suite.
    pub(crate) fn add_control(&mut self, suite: &str, names: &[String]) {
        for name in names {
            *self.control.entry(key(suite, name)).or_default() += 1;
        }
    }

    /// Adds what does not compile against a facade and is no unit: others may mean something else without it.
    pub(crate) fn add_lost(&mut self, suite: &str, facade: Facade, lost: Vec<String>) {
        let name = |what| format!("{suite}, {}: does not compile and is no unit: {what}", facade.name());
        self.lost.extend(lost.into_iter().map(name));
    }

    /// Adds how the units of the control ended on a facade, and tells it.
    pub(crate) fn add(&mut self, suite: &str, place: Where, outcomes: &BTreeMap<String, Outcome>) {
        let mut all = Count::default();
        for (name, outcome) in outcomes {
            let count = self.counts.entry((key(suite, name), place)).or_default();
            if let Outcome::Passed(network) = outcome {
                count.passed += 1;
                count.met += u64::from(*network > 0);
                all.passed += 1;
                all.met += u64::from(*network > 0);
            }
            if let Some(wrong) = outcome.wrong() {
                let name = format!("{suite}::{name}");
                println!("  {name}: {wrong}");
                self.failures.push((name, place, wrong));
            }
        }
        println!(
            "{suite}, {}: {} of {} passed, {} met the network",
            place.name(),
            all.passed,
            outcomes.len(),
            all.met
        );
    }

    /// The rows of modules; `command SUITE OPTIONS` makes them again.
    pub(crate) fn rows(&self, command: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for ((key, place), count) in &self.counts {
            let words = format!("{command} {} {}", key.0, place.options());
            let control = self.control.get(key).copied().unwrap_or(0) as f64;
            let row = |what: &str, value: u64| {
                Row::new(
                    format!("{}::{} {what}, {}", key.0, key.1, place.name()),
                    value as f64,
                    "units",
                    &words,
                )
            };
            rows.push(row("passed", count.passed).beside("control", control));
            rows.push(row("met the network", count.met).beside("control", control));
        }
        rows
    }
}

impl Where {
    /// As it is named in tables.
    pub(crate) fn name(self) -> String {
        format!("{}, {} {}", self.facade.name(), self.nodes, if self.nodes == 1 { "node" } else { "nodes" })
    }

    pub(crate) fn options(self) -> String {
        format!("--facade {} --nodes {}", self.facade.name(), self.nodes)
    }
}

fn key(suite: &str, unit: &str) -> Key {
    (suite.to_owned(), module(unit).to_owned())
}

/// The part of a suite that a unit belongs to: a row of the tables.
fn module(unit: &str) -> &str {
    unit.split_once("::").map_or("(top)", |(module, _)| module)
}
