//! The table of programs in compat-tests/README.md.

use std::collections::BTreeMap;

use crate::marked::Marked;
use crate::verdict::Verdict;

/// The columns behind the program's name.
const COLUMNS: [&str; 8] = [
    "what it is",
    "threads by",
    "lines changed, renamed",
    "lines changed, `use dstd`",
    "1 node",
    "3 nodes",
    "met the network",
    "threads elsewhere",
];
/// How many threads there are depends on the machine, where the program asks it.
const THREADS: usize = 7;

/// What is known of a program; nothing where it was not tried.
pub(crate) type Cells = [Option<String>; COLUMNS.len()];

/// The rows by program.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct Table(BTreeMap<String, Cells>);

fn place() -> Marked {
    Marked::new("compat-tests/README.md", "apps")
}

impl Table {
    /// The one that is written down.
    pub(crate) fn written() -> Verdict<Table> {
        Ok(Table::parse(&place().read()?))
    }

    /// Writes it down.
    pub(crate) fn write(&self) -> Verdict {
        place().write(&self.render())
    }

    /// Takes over what came out.
    pub(crate) fn update(&mut self, name: &str, cells: &Cells) {
        let row = self.0.entry(name.to_owned()).or_default();
        for (old, new) in row.iter_mut().zip(cells) {
            if new.is_some() {
                old.clone_from(new);
            }
        }
    }

    /// Forgets the programs that are none of these.
    pub(crate) fn keep(&mut self, names: &[String]) {
        self.0.retain(|name, _| names.contains(name));
    }

    /// What is written and is not so any more.
    pub(crate) fn differences(&self, name: &str, cells: &Cells) -> Vec<String> {
        let nothing = Cells::default();
        let written = self.0.get(name).unwrap_or(&nothing);
        let mut wrong = Vec::new();
        for (column, (written, now)) in written.iter().zip(cells).enumerate() {
            let Some(now) = now else { continue };
            let none = |cell: &str| cell == "0";
            let same = match written {
                Some(written) if column == THREADS => none(written) == none(now),
                Some(written) => written == now,
                None => false,
            };
            if !same {
                let written = written.as_deref().unwrap_or("nothing");
                wrong.push(format!("{name}, {}: {now}, not {written}", COLUMNS[column]));
            }
        }
        wrong
    }

    fn render(&self) -> String {
        let mut text =
            format!("\n| program | {} |\n|{}\n", COLUMNS.join(" | "), "---|".repeat(1 + COLUMNS.len()));
        for (name, cells) in &self.0 {
            let cells: Vec<&str> = cells.iter().map(|cell| cell.as_deref().unwrap_or("-")).collect();
            text.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
        }
        text.push('\n');
        text
    }

    fn parse(text: &str) -> Table {
        let rows = text.lines().skip_while(|line| !line.starts_with("|---")).skip(1).filter_map(|line| {
            let cells = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim);
            let mut cells = cells.map(|cell| (cell != "-").then(|| cell.to_owned()));
            let name = cells.next()??;
            let cells: Vec<Option<String>> = cells.collect();
            Some((name, cells.try_into().ok()?))
        });
        Table(rows.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let mut cells: Cells =
            ["a", "b", "0", "3 (1)", "as std", "as std", "yes", "4"].map(|c| Some(c.to_owned()));
        let mut table = Table::default();
        table.update("p 1.0.0", &cells);
        assert_eq!(Table::parse(&table.render()), table);
        assert!(table.differences("p 1.0.0", &cells).is_empty());
        cells[THREADS] = Some("6".to_owned());
        assert!(table.differences("p 1.0.0", &cells).is_empty());
        cells[THREADS] = Some("0".to_owned());
        cells[5] = Some("hangs".to_owned());
        assert_eq!(table.differences("p 1.0.0", &cells).len(), 2);
        cells[5] = None;
        assert_eq!(table.differences("p 1.0.0", &cells).len(), 1);
        assert_eq!(table.differences("q 1.0.0", &cells).len(), 7);
        table.keep(&[]);
        assert_eq!(table, Table::default());
    }
}
