//! What is written beside the table: what was changed in each package, and each test that depends on time with its result.

use std::collections::BTreeMap;

use super::list::Suite;
use super::timed::Timed;
use crate::swap::Lines;
use crate::units::gaps::Gaps;

const CHANGES: &str = "**What was changed**\n";
const TIMED: &str = "**Tests that depend on time**\n";

/// Paragraphs by suite.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct Notes {
    changes: BTreeMap<String, String>,
    /// In their order.
    timed: BTreeMap<String, Vec<String>>,
}

impl Notes {
    /// Those that are written down.
    pub(crate) fn parse(text: &str) -> Notes {
        let mut notes = Notes::default();
        let rest = text.split_once(CHANGES).map_or("", |(_, rest)| rest);
        let (changes, timed) = rest.split_once(TIMED).unwrap_or((rest, ""));
        for line in changes.lines() {
            let name = line.strip_prefix("| ").and_then(|rest| rest.split_once(" | "));
            if let Some((name, rest)) = name.filter(|(name, _)| *name != "suite") {
                notes.changes.insert(name.to_owned(), rest.to_owned());
            }
        }
        for line in timed.lines() {
            if let Some((name, rest)) = line.strip_prefix("- ").and_then(|rest| rest.split_once(", which ")) {
                notes.timed.entry(name.to_owned()).or_default().push(rest.to_owned());
            }
        }
        notes
    }

    /// As they are written down.
    pub(crate) fn render(&self) -> String {
        let mut text = format!(
            "{CHANGES}\n| suite | crates that are built against the facade too | taken out | lines, renamed | lines, `use dstd` | of these no imports |\n|{}\n",
            "---|".repeat(6)
        );
        for (name, rest) in &self.changes {
            text.push_str(&format!("| {name} | {rest}\n"));
        }
        text.push_str(&format!("\n{TIMED}\n"));
        for (name, lines) in &self.timed {
            for line in lines {
                text.push_str(&format!("- {name}, which {line}\n"));
            }
        }
        text.push('\n');
        text
    }

    /// Says of a suite what `cargo dstd swap` changed with each facade.
    pub(crate) fn changed(&mut self, suite: &Suite, renamed: Lines, swapped: Lines) {
        let words = |words: Vec<String>| if words.is_empty() { "-".to_owned() } else { words.join(", ") };
        let convert = words(suite.convert.iter().map(|name| (*name).to_owned()).collect());
        let taken = |item: &&str| format!("`{item}`");
        let removed = words(
            suite
                .removed
                .iter()
                .map(|removed| {
                    let items: Vec<String> = removed.items.iter().map(taken).collect();
                    format!("of {}: {} ({})", removed.file, items.join(" and "), removed.why)
                })
                .collect(),
        );
        self.changes.insert(
            suite.label(),
            format!("{convert} | {removed} | {} | {} | {} |", renamed.all, swapped.all, swapped.others),
        );
    }

    /// Says which units of a suite depend on time, and which of them a facade fails.
    pub(crate) fn timed(&mut self, suite: &Suite, timed: &Timed, units: &[String], gaps: &Gaps) {
        let label = suite.label();
        let mut reasons: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        for unit in units {
            if let Some(reason) = timed.reason(unit) {
                reasons.entry(reason).or_default().push(unit);
            }
        }
        let line = |(reason, units): (&str, Vec<&String>)| {
            let failing = units.iter().filter(|unit| gaps.has(&label, unit)).count();
            let result = match failing {
                0 => "all pass".to_owned(),
                count => format!("{count} of them fail somewhere: GAPS.md"),
            };
            let named =
                |unit: &&String| format!("`{unit}`{}", if gaps.has(&label, unit) { " (fails)" } else { "" });
            let names: Vec<String> = units.iter().map(named).collect();
            format!("{reason} ({}, {result}): {}", units.len(), names.join(", "))
        };
        self.timed.insert(label.clone(), reasons.into_iter().map(line).collect());
    }

    /// Takes over what another one says.
    pub(crate) fn update(&mut self, other: Notes) {
        self.changes.extend(other.changes);
        self.timed.extend(other.timed);
    }

    /// Forgets the suites that are none of these.
    pub(crate) fn retain(&mut self, labels: &[String]) {
        self.changes.retain(|label, _| labels.contains(label));
        self.timed.retain(|label, _| labels.contains(label));
    }

    /// What `now` says otherwise.
    pub(crate) fn differences(&self, now: &Notes) -> Vec<String> {
        let changes = now.changes.iter().filter(|(label, row)| self.changes.get(*label) != Some(row));
        let mut wrong: Vec<String> =
            changes.map(|(label, row)| format!("{label}: changed is now {row}")).collect();
        // A suite without such tests has no lines.
        let written = |label: &String| self.timed.get(label).map_or(&[][..], |lines| lines);
        let timed = now.timed.iter().filter(|(label, lines)| written(label) != &lines[..]);
        wrong.extend(timed.map(|(label, _)| format!("{label}: the tests that depend on time are others")));
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_read_as_they_were_written() {
        let mut notes = Notes::default();
        notes.changes.insert("a-1".to_owned(), "b | - | 0 | 9 | 1 |".to_owned());
        notes.timed.insert("a-1".to_owned(), vec!["sleeps (1, ..): `x`".to_owned(), "waits: `y`".to_owned()]);
        let text = notes.render();
        assert_eq!(Notes::parse(&text), notes);
        assert!(notes.differences(&Notes::parse(&text)).is_empty());
        let mut now = Notes::default();
        now.changes.insert("a-1".to_owned(), "b | - | 1 | 9 | 1 |".to_owned());
        now.timed.insert("a-1".to_owned(), Vec::new());
        assert_eq!(notes.differences(&now).len(), 2);
        now.timed.insert("c-1".to_owned(), Vec::new());
        assert_eq!(notes.differences(&now).len(), 2, "no lines are as good as none");
    }
}
