//! What came out: numbers by suite and module, and which units failed.

use std::collections::BTreeMap;

use super::facade::Facade;
use super::play::Outcome;
use super::suite::{Group, Suite, module};
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

/// What passed of a group of suites.
#[derive(Clone, Copy, Default)]
struct Share {
    control: u64,
    passed: u64,
    met: u64,
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
    shares: BTreeMap<(Group, Where), Share>,
}

impl Results {
    /// Adds what real std passes of a suite.
    pub(crate) fn add_control(&mut self, suite: &Suite, names: &[String]) {
        for name in names {
            *self.control.entry(key(suite, name)).or_default() += 1;
        }
    }

    /// Adds what does not compile against a facade and is no unit: others may mean something else without it.
    pub(crate) fn add_lost(&mut self, suite: &Suite, facade: Facade, lost: Vec<String>) {
        let name =
            |what| format!("{}, {}: does not compile and is no unit: {what}", suite.name, facade.name());
        self.lost.extend(lost.into_iter().map(name));
    }

    /// Adds how the units of the control ended on a facade, and tells it.
    pub(crate) fn add(&mut self, suite: &Suite, place: Where, outcomes: &BTreeMap<String, Outcome>) {
        let mut all = Share::default();
        for (name, outcome) in outcomes {
            let count = self.counts.entry((key(suite, name), place)).or_default();
            all.control += 1;
            if let Outcome::Passed(network) = outcome {
                count.passed += 1;
                count.met += u64::from(*network > 0);
                all.passed += 1;
                all.met += u64::from(*network > 0);
            }
            if let Some(wrong) = outcome.wrong() {
                let name = format!("{}::{name}", suite.name);
                println!("  {name}: {wrong}");
                self.failures.push((name, place, wrong));
            }
        }
        println!(
            "{}, {}: {} of {} passed, {} met the network",
            suite.name,
            place.name(),
            all.passed,
            all.control,
            all.met
        );
        let share = self.shares.entry((suite.group, place)).or_default();
        share.control += all.control;
        share.passed += all.passed;
        share.met += all.met;
    }

    /// The rows of modules, and with `targets` those of groups, which have to be what they have to be.
    pub(crate) fn rows(&self, targets: bool) -> Vec<Row> {
        let mut rows = Vec::new();
        for ((key, place), count) in &self.counts {
            let words = format!("cargo xtask compat --module {} {}", key.0, place.options());
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
        for ((group, place), share) in self.shares.iter().filter(|_| targets) {
            let words = format!("cargo xtask compat {}", place.options());
            let of_control = |part: u64| part as f64 / share.control as f64;
            let row = |what: &str, part| {
                Row::new(
                    format!("{} {what}, {}", group.name(), place.name()),
                    of_control(part),
                    "of control",
                    &words,
                )
            };
            rows.push(row("passed", share.passed).target(">=", group.passed(place.nodes)));
            if let Some(least) = group.met(place.nodes) {
                rows.push(row("met the network", share.met).target(">=", least));
            }
        }
        rows
    }
}

impl Where {
    /// As it is named in tables.
    pub(crate) fn name(self) -> String {
        format!("{}, {} {}", self.facade.name(), self.nodes, if self.nodes == 1 { "node" } else { "nodes" })
    }

    fn options(self) -> String {
        format!("--facade {} --nodes {}", self.facade.name(), self.nodes)
    }
}

fn key(suite: &Suite, unit: &str) -> Key {
    (suite.name.to_owned(), module(unit).to_owned())
}
