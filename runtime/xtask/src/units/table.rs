//! A table in compat-tests/README.md: written, read again, and held against what came out.

use std::collections::BTreeMap;

use super::facade::Facade;
use super::results::{Count, Key, Results, Where};
use crate::marked::Marked;
use crate::verdict::Verdict;

/// The columns with numbers of nodes.
const NODES: [u64; 2] = [1, 3];

/// One row: what real std passes, and what passes elsewhere.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Cells {
    control: u64,
    counts: BTreeMap<Where, Count>,
}

/// The rows by suite and module.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct Table(BTreeMap<Key, Cells>);

fn place(command: &str) -> Marked {
    Marked::new("compat-tests/README.md", command)
}

impl Table {
    /// Keeps the rows of these suites.
    pub(crate) fn retain(&mut self, suites: &[String]) {
        self.0.retain(|(suite, _), _| suites.contains(suite));
    }

    /// The one of this command that is written down.
    pub(crate) fn written(command: &str) -> Verdict<Table> {
        Ok(Table::parse(&place(command).read()?))
    }

    /// Writes it down.
    pub(crate) fn write(&self, command: &str) -> Verdict {
        place(command).write(&self.render())
    }

    /// Takes over what came out; rows of suites that ran and have no such unit go.
    pub(crate) fn update(&mut self, results: &Results) {
        let ran = |suite: &str| results.control.keys().any(|(name, _)| name == suite);
        self.0.retain(|key, _| results.control.contains_key(key) || !ran(&key.0));
        for (key, control) in &results.control {
            self.0.entry(key.clone()).or_default().control = *control;
        }
        for ((key, place), count) in &results.counts {
            self.0.entry(key.clone()).or_default().counts.insert(*place, *count);
        }
    }

    /// What is written and is not so any more. How many units meet the network depends a little on who is faster.
    pub(crate) fn differences(&self, results: &Results) -> Vec<String> {
        let mut wrong = Vec::new();
        for ((key, place), count) in &results.counts {
            let written =
                self.0.get(key).and_then(|cells| cells.counts.get(place)).copied().unwrap_or_default();
            let control = results.control.get(key).copied().unwrap_or(0);
            if written.passed != count.passed {
                wrong.push(format!(
                    "{}::{}, {}: {} passed, not {}",
                    key.0,
                    key.1,
                    place.name(),
                    count.passed,
                    written.passed
                ));
            }
            let none = count.met == 0 && written.met > 0;
            if none || written.met.abs_diff(count.met) > 3 + control / 10 {
                wrong.push(format!(
                    "{}::{}, {}: {} met the network, not {}",
                    key.0,
                    key.1,
                    place.name(),
                    count.met,
                    written.met
                ));
            }
        }
        wrong
    }

    /// As it is written down.
    pub(crate) fn render(&self) -> String {
        let mut text = String::from("\n| suite | module | std |");
        let places: Vec<Where> = places().collect();
        for place in &places {
            text.push_str(&format!(
                " {} |{}",
                place.name(),
                if place.nodes > 1 { " met the network |" } else { "" }
            ));
        }
        let columns = 3 + places.len() + places.iter().filter(|place| place.nodes > 1).count();
        text.push_str(&format!("\n|{}\n", "---|".repeat(columns)));
        let mut suites: BTreeMap<&str, Cells> = BTreeMap::new();
        for ((suite, module), cells) in &self.0 {
            suites.entry(suite).or_default().add(cells);
            cells.line(suite, module, &places, &mut text);
        }
        for (suite, cells) in suites {
            cells.line(&format!("**{suite}**"), "all", &places, &mut text);
        }
        text.push('\n');
        text
    }

    /// Reads its rows again.
    pub(crate) fn parse(text: &str) -> Table {
        let rows = text.lines().filter_map(|line| {
            let cells: Vec<&str> =
                line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
            let [suite, module, control, counts @ ..] = &cells[..] else { return None };
            if suite.starts_with('*') {
                return None;
            }
            let mut row = Cells { control: control.parse().ok()?, counts: BTreeMap::new() };
            let mut counts = counts.iter();
            for place in places() {
                let passed = counts.next().and_then(|cell| cell.parse().ok());
                let met =
                    if place.nodes > 1 { counts.next().and_then(|cell| cell.parse().ok()) } else { None };
                if let Some(passed) = passed {
                    row.counts.insert(place, Count { passed, met: met.unwrap_or(0) });
                }
            }
            Some((((*suite).to_owned(), (*module).to_owned()), row))
        });
        Table(rows.collect())
    }
}

impl Cells {
    fn add(&mut self, other: &Cells) {
        self.control += other.control;
        for (place, count) in &other.counts {
            let sum = self.counts.entry(*place).or_default();
            sum.passed += count.passed;
            sum.met += count.met;
        }
    }

    fn line(&self, suite: &str, module: &str, places: &[Where], text: &mut String) {
        text.push_str(&format!("| {suite} | {module} | {} |", self.control));
        for place in places {
            let count = self.counts.get(place);
            let cell = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
            text.push_str(&format!(" {} |", cell(count.map(|count| count.passed))));
            if place.nodes > 1 {
                text.push_str(&format!(" {} |", cell(count.map(|count| count.met))));
            }
        }
        text.push('\n');
    }
}

fn places() -> impl Iterator<Item = Where> {
    Facade::OURS.into_iter().flat_map(|facade| NODES.map(|nodes| Where { facade, nodes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let mut results = Results::default();
        let key = ("sync".to_owned(), "mutex".to_owned());
        results.control.insert(key.clone(), 40);
        let place = Where { facade: Facade::DstdStd, nodes: 3 };
        results.counts.insert((key.clone(), place), Count { passed: 39, met: 30 });
        let mut table = Table::default();
        table.update(&results);
        assert_eq!(Table::parse(&table.render()), table);
        assert!(table.differences(&results).is_empty());
        results.counts.insert((key, place), Count { passed: 40, met: 22 });
        assert_eq!(table.differences(&results).len(), 2);
    }
}
