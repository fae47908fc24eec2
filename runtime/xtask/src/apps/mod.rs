//! Existing threaded programs, which nobody here wrote: built from what their authors published with real std, with
//! dstd renamed to `std`, and with `use dstd`; run on one node and on three; held against real std.
//!
//! ```text
//! programs, input ── workspace (registry, swap)    sources as published, and swapped
//!                    build                         three programs of each
//!                    play                          run and compared
//!                    table                         judged
//! ```

mod build;
mod input;
mod play;
mod programs;
mod table;
mod workspace;

use std::fs;
use std::path::Path;

use crate::arguments::Arguments;
use crate::cargo;
use crate::row::Row;
use crate::tree;
use crate::units::facade::{self, Facade};
use crate::verdict::{Verdict, cannot, fail, while_doing};
use play::Stage;
use programs::{PROGRAMS, Program};
use table::{Cells, Table};
use workspace::Workspace;

/// So many have to work.
const ENOUGH: f64 = 8.0;

/// What the options ask for.
struct Order {
    programs: Vec<&'static Program>,
    nodes: Vec<u64>,
    write: bool,
}

/// Builds and runs what the options ask for; everything, if they ask for nothing.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    let order = Order::read(arguments)?;
    let bin = cargo::build_release(&["dstd-launch"])?;
    let launcher = bin.join("dstd-launch");
    let workspaces = workspace::make(&order.programs, &bin.join("cargo-dstd"))?;
    let mut table = Table::written()?;
    let (mut wrong, mut working) = (Vec::new(), 0.0);
    for (index, program) in order.programs.iter().enumerate() {
        let name = program.name();
        let mut outcome = Outcome::default();
        if let Err(why) = outcome.find(program, &order.nodes, &workspaces, &launcher) {
            // The others are worth knowing all the same.
            println!("{name}: {why}");
            wrong.push(format!("{name}: {why}"));
            continue;
        }
        let cells = outcome.cells(program, index, &workspaces);
        let shown: Vec<&str> = cells[2..].iter().map(|cell| cell.as_deref().unwrap_or("-")).collect();
        println!("{name}: {}", shown.join(" | "));
        outcome.rows(&name, rows);
        working += f64::from(u8::from(outcome.works()));
        if !outcome.works() {
            wrong.extend(unlisted(&name, &outcome)?);
        }
        if order.write {
            table.update(&name, &cells);
        }
        wrong.extend(table.differences(&name, &cells));
    }
    if order.programs.len() == PROGRAMS.len() {
        let row = Row::new("programs that run as on std", working, "programs", "cargo xtask apps");
        rows.push(row.target(">=", ENOUGH));
        if order.write {
            table.keep(&PROGRAMS.iter().map(Program::name).collect::<Vec<_>>());
            keep_lock(&workspaces)?;
        }
    }
    if order.write {
        table.write()?;
    }
    if wrong.is_empty() { Ok(()) } else { fail(wrong.join("\n")) }
}

/// The versions that were used become those that are used again.
fn keep_lock(workspaces: &[Workspace]) -> Verdict {
    let Some(all) = workspaces.iter().find(|workspace| workspace.facade == Facade::DstdStd) else {
        return cannot("there is no workspace with dstd-std");
    };
    let file = workspace::lock();
    let parent = file.parent().unwrap_or(&file);
    fs::create_dir_all(parent)
        .and_then(|()| fs::copy(all.directory.join("Cargo.lock"), &file))
        .map(drop)
        .map_err(while_doing(file.display()))
}

/// A program that is not as on std is in compat-tests/GAPS.md, with the cause.
fn unlisted(name: &str, outcome: &Outcome) -> Verdict<Option<String>> {
    let text = tree::read(&tree::root().join("compat-tests/GAPS.md"))?;
    let words = outcome.causes.join("; ");
    let line = || format!("{name} is not as on std and not in compat-tests/GAPS.md: {words}");
    Ok((!text.contains(&format!("`{name}`"))).then(line))
}

impl Order {
    fn read(arguments: &Arguments) -> Verdict<Order> {
        let (name, sample) = (arguments.word("--name"), arguments.flag("--sample"));
        let is_asked = |program: &&Program| {
            name.is_none_or(|name| program.package.0 == name) && (program.sample || !sample)
        };
        let programs: Vec<_> = PROGRAMS.iter().filter(is_asked).collect();
        if programs.is_empty() {
            let names: Vec<&str> = PROGRAMS.iter().map(|program| program.package.0).collect();
            return cannot(format!("--name is one of {}", names.join(", ")));
        }
        let nodes = facade::nodes(arguments, &[1, 3])?;
        Ok(Order { programs, nodes, write: arguments.flag("--write") })
    }
}

impl Program {
    /// As it is named in tables.
    fn name(&self) -> String {
        format!("{} {}", self.package.0, self.package.1)
    }
}

/// How a program does with the facades.
#[derive(Default)]
struct Outcome {
    /// For each facade and number of nodes: a word, messages, threads on other nodes.
    words: Vec<(Facade, u64, &'static str, u64, u64)>,
    causes: Vec<String>,
}

impl Outcome {
    fn find(
        &mut self,
        program: &Program,
        nodes: &[u64],
        workspaces: &[Workspace],
        launcher: &Path,
    ) -> Verdict {
        let stage = Stage::new(program)?;
        let mut std = None;
        for workspace in workspaces {
            let facade = workspace.facade;
            let built = build::build(program, workspace)?;
            match (&std, built) {
                (None, Err(error)) => {
                    return cannot(format!("is not built with real std: {error}"));
                }
                (None, Ok(executable)) => {
                    let (one, two) = (stage.alone(&executable)?, stage.alone(&executable)?);
                    let (word, cause) = two.beside(&one, program.order);
                    if let Some(wrong) = one.wrong() {
                        return cannot(format!("on real std: {wrong}"));
                    }
                    if word != "as std" {
                        return cannot(format!("twice on real std: {word}: {cause}"));
                    }
                    std = Some(one);
                }
                (Some(_), Err(error)) => self.all(facade, nodes, "is not built", &error),
                (Some(std), Ok(executable)) => {
                    for &nodes in nodes {
                        let played = stage.on_nodes(&executable, launcher, nodes)?;
                        let (word, cause) = played.beside(std, program.order);
                        if !cause.is_empty() {
                            self.all(facade, &[], word, &cause);
                        }
                        self.words.push((facade, nodes, word, played.messages, played.threads_elsewhere));
                    }
                }
            }
        }
        Ok(())
    }

    fn all(&mut self, facade: Facade, nodes: &[u64], word: &'static str, cause: &str) {
        let cause = format!("{}: {word}: {cause}", facade.name());
        println!("  {cause}");
        self.causes.push(cause);
        self.words.extend(nodes.iter().map(|&nodes| (facade, nodes, word, 0, 0)));
    }

    /// Whether it was as on std everywhere.
    fn works(&self) -> bool {
        self.words.iter().all(|(_, _, word, ..)| *word == "as std")
    }

    fn cells(&self, program: &Program, index: usize, workspaces: &[Workspace]) -> Cells {
        let lines = |facade| {
            let workspace = workspaces.iter().find(|workspace| workspace.facade == facade)?;
            let lines = workspace.changed.get(index)?;
            Some(match lines.others {
                0 => lines.all.to_string(),
                others => format!("{}, {others} of them no imports", lines.all),
            })
        };
        let on = |nodes: u64| self.words.iter().filter(move |(_, at, ..)| *at == nodes);
        let word = |nodes: u64| {
            let words: Vec<_> = on(nodes).map(|(facade, _, word, ..)| (facade.name(), *word)).collect();
            let (_, first) = words.first()?;
            if words.iter().all(|(_, word)| word == first) {
                return Some((*first).to_owned());
            }
            Some(
                words.iter().map(|(facade, word)| format!("{facade}: {word}")).collect::<Vec<_>>().join(", "),
            )
        };
        let tried = on(3).next().is_some();
        let met = on(3).all(|(.., messages, _)| *messages > 0);
        let threads = on(3).map(|(.., threads)| *threads).min();
        [
            Some(program.what.to_owned()),
            Some(program.threads.to_owned()),
            lines(Facade::DstdStd),
            lines(Facade::Dstd),
            word(1),
            word(3),
            tried.then(|| if met { "yes" } else { "no" }.to_owned()),
            threads.map(|threads| threads.to_string()),
        ]
    }

    fn rows(&self, name: &str, rows: &mut Vec<Row>) {
        let words = format!("cargo xtask apps --name {}", name.split(' ').next().unwrap_or_default());
        for (facade, nodes, word, messages, _) in &self.words {
            let place = format!("{name}, {}, {nodes}", facade.name());
            let as_std = f64::from(u8::from(*word == "as std"));
            rows.push(Row::new(format!("{place}: as on std"), as_std, "bool", &words));
            rows.push(Row::new(format!("{place}: messages"), *messages as f64, "messages", &words));
        }
    }
}
