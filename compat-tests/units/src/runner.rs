//! The `main` of a program of units.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process;

use crate::nodes;
use crate::unit::Unit;

/// What the command line asks for.
enum Order {
    List,
    Run { units: PathBuf, results: PathBuf, steal: bool },
}

/// Does what the command line says with the program's units; ends the process with 2 if it cannot.
pub fn run(units: &[Unit]) {
    let done = match Order::of_command_line() {
        Some(Order::List) => list(units),
        Some(Order::Run { units: names, results, steal }) => all(units, &names, &results, steal),
        None => Err(io::Error::other("usage: --list | --units FILE --results FILE [--steal]")),
    };
    if let Err(error) = done {
        eprintln!("{error}");
        process::exit(2);
    }
}

impl Order {
    fn of_command_line() -> Option<Order> {
        let (mut units, mut results, mut steal) = (None, None, false);
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--list" => return Some(Order::List),
                "--units" => units = Some(words.next()?.into()),
                "--results" => results = Some(words.next()?.into()),
                "--steal" => steal = true,
                _ => return None,
            }
        }
        Some(Order::Run { units: units?, results: results?, steal })
    }
}

fn list(units: &[Unit]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    units.iter().filter(|unit| !unit.ignored).try_for_each(|unit| writeln!(out, "{}", unit.name))
}

fn all(units: &[Unit], names: &PathBuf, results: &PathBuf, steal: bool) -> io::Result<()> {
    let names = fs::read_to_string(names)?;
    let wanted: HashSet<&str> = names.lines().collect();
    let mut results = OpenOptions::new().create(true).append(true).open(results)?;
    let mut ground = nodes::Ground::new(steal);
    for unit in units.iter().filter(|unit| wanted.contains(unit.name.as_str())) {
        note(&mut results, format!("begin\t{}\n", unit.name))?;
        let (ended, network) = ground.run(unit);
        let line = match unit.panics.judge(ended) {
            Ok(()) => format!("passed\t{}\t{network}\n", unit.name),
            Err(cause) => format!("failed\t{}\t{network}\t{cause}\n", unit.name),
        };
        note(&mut results, line)?;
    }
    Ok(())
}

/// In one write, so that a reader sees whole lines.
fn note(results: &mut File, line: String) -> io::Result<()> {
    results.write_all(line.as_bytes())
}
