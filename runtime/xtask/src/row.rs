//! Rows of results, and their JSON.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::verdict::{Verdict, fail, while_doing};

/// One result, with what it should be.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) name: String,
    /// The result; of several, the median.
    pub(crate) value: f64,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// The smallest and the largest of several results, or an interval that contains their true median.
    pub(crate) range: Option<(f64, f64)>,
    /// How many results there are.
    pub(crate) count: usize,
    /// What it is compared with.
    pub(crate) baseline: Option<(&'static str, f64)>,
    /// What it has to be: `<=`, `>=` or `==` and a number; `<= +-` allows for the interval.
    pub(crate) target: Option<(&'static str, f64)>,
    /// How to measure it again.
    pub(crate) command: String,
}

impl Row {
    /// A single result.
    pub(crate) fn new(
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        command: impl Into<String>,
    ) -> Row {
        let (name, command) = (name.into(), command.into());
        Row { name, value, unit, range: None, count: 1, baseline: None, target: None, command }
    }

    /// The median of several results.
    pub(crate) fn of_many(
        name: impl Into<String>,
        mut values: Vec<f64>,
        unit: &'static str,
        command: impl Into<String>,
    ) -> Row {
        values.sort_by(f64::total_cmp);
        let middle = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
        let range = values.first().copied().zip(values.last().copied());
        Row { range, count: values.len(), ..Row::new(name, middle, unit, command) }
    }

    /// The median of several samples, with the interval that contains the true median with at least 95 %.
    pub(crate) fn of_samples(
        name: impl Into<String>,
        mut values: Vec<f64>,
        unit: &'static str,
        command: impl Into<String>,
    ) -> Row {
        values.sort_by(f64::total_cmp);
        let skipped = beyond_interval(values.len());
        let range = values.get(skipped).copied().zip(values.iter().rev().nth(skipped).copied());
        Row { range, ..Row::of_many(name, values, unit, command) }
    }

    /// Compared with this.
    pub(crate) fn beside(mut self, name: &'static str, value: f64) -> Row {
        self.baseline = Some((name, value));
        self
    }

    /// Has to be this.
    pub(crate) fn target(mut self, op: &'static str, value: f64) -> Row {
        self.target = Some((op, value));
        self
    }

    /// Whether it is what it has to be, if that is known.
    pub(crate) fn met(&self) -> Option<bool> {
        let (op, target) = self.target?;
        Some(match op {
            "<=" => self.value <= target,
            ">=" => self.value >= target,
            "<= +-" => self.range.map_or(self.value, |(lo, _)| lo) <= target,
            _ => self.value == target,
        })
    }

    fn json(&self) -> String {
        let number = |value: f64| if value.is_finite() { format!("{value}") } else { "null".to_owned() };
        let pair = |pair: Option<(&str, f64)>, key: &str| match pair {
            Some((name, value)) => format!("{{\"{key}\":{},\"value\":{}}}", quoted(name), number(value)),
            None => "null".to_owned(),
        };
        let (lo, hi) = self.range.unwrap_or((self.value, self.value));
        let met = self.met().map_or("null", |met| if met { "true" } else { "false" });
        format!(
            "{{\"name\":{},\"value\":{},\"unit\":{},\"lo\":{},\"hi\":{},\"n\":{},\"baseline\":{},\"target\":{},\"met\":{met},\"command\":{}}}",
            quoted(&self.name),
            number(self.value),
            quoted(self.unit),
            number(lo),
            number(hi),
            self.count,
            pair(self.baseline, "name"),
            pair(self.target, "op"),
            quoted(&self.command),
        )
    }

    /// Prints the row for a reader.
    pub(crate) fn show(&self) {
        let baseline =
            self.baseline.map(|(name, value)| format!("  ({name}: {value:.3})")).unwrap_or_default();
        let target = self.target.map(|(op, value)| format!("  target {op} {value}")).unwrap_or_default();
        let met = self.met().map_or("", |met| if met { "  met" } else { "  NOT MET" });
        let range = self.range.map(|(lo, hi)| format!(" [{lo:.3}, {hi:.3}]")).unwrap_or_default();
        println!("{:40} {:>12.3}{range} {:8}{baseline}{target}{met}", self.name, self.value, self.unit);
    }
}

/// How many samples of `count` lie outside on each side of the narrowest interval of order statistics that contains the
/// median with at least 95 %: as many as have a probability of at most 2.5 % of all lying on one side of it.
fn beyond_interval(count: usize) -> usize {
    let mut probability = 0.5_f64.powi(count as i32);
    let mut sum = 0.0;
    for below in 0..count {
        sum += probability;
        if sum > 0.025 {
            return below.saturating_sub(1);
        }
        probability *= (count - below) as f64 / (below + 1) as f64;
    }
    0
}

/// Fails when a row is not what it has to be.
pub(crate) fn judge(rows: &[Row]) -> Verdict {
    let missed: Vec<&str> =
        rows.iter().filter(|row| row.met() == Some(false)).map(|row| row.name.as_str()).collect();
    if missed.is_empty() { Ok(()) } else { fail(format!("missed: {}", missed.join(", "))) }
}

/// Writes the rows as a JSON list.
pub(crate) fn write(file: &Path, rows: &[Row]) -> Verdict {
    let rows: Vec<String> = rows.iter().map(Row::json).collect();
    fs::write(file, format!("[\n{}\n]\n", rows.join(",\n"))).map_err(while_doing(file.display()))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => write!(quoted, "\\u{:04x}", c as u32).expect("a string takes all"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_all_keys() {
        let row =
            Row::of_many("a \"b\"", vec![3.0, 1.0, 2.5], "s", "x\ty").beside("std", 2.0).target("<=", 2.5);
        assert_eq!(
            row.json(),
            "{\"name\":\"a \\\"b\\\"\",\"value\":2.5,\"unit\":\"s\",\"lo\":1,\"hi\":3,\"n\":3,\
             \"baseline\":{\"name\":\"std\",\"value\":2},\"target\":{\"op\":\"<=\",\"value\":2.5},\"met\":true,\
             \"command\":\"x\\u0009y\"}"
        );
        let bare = Row::new("c", f64::NAN, "1", "");
        assert!(bare.json().contains("\"value\":null,") && bare.json().contains("\"met\":null"));
    }

    #[test]
    fn intervals_are_those_of_the_tables() {
        // Ranks of the lower end in tables of the sign test at 95 %, minus one.
        for (count, skipped) in [(0, 0), (5, 0), (6, 0), (8, 0), (9, 1), (15, 3), (20, 5), (25, 7), (31, 9)] {
            assert_eq!(beyond_interval(count), skipped, "of {count}");
        }
        let row = Row::of_samples("s", (0..15).rev().map(f64::from).collect(), "us", "");
        assert_eq!((row.value, row.range, row.count), (7.0, Some((3.0, 11.0)), 15));
    }

    #[test]
    fn a_target_may_allow_for_the_interval() {
        let row = |values| Row::of_many("r", values, "1", "").target("<= +-", 1.0);
        assert_eq!(row(vec![0.9, 1.2, 1.3]).met(), Some(true));
        assert_eq!(row(vec![1.1, 1.2, 1.3]).met(), Some(false));
    }

    #[test]
    fn a_missed_target_fails() {
        let row = |value| Row::new("r", value, "1", "").target("==", 3.0);
        assert!(judge(&[row(3.0)]).is_ok());
        assert!(judge(&[row(3.0), row(2.0)]).is_err());
        assert!(judge(&[Row::new("no target", 9.0, "1", "")]).is_ok());
    }
}
