//! `dstd-launch doctor`: what this host lets nodes do.
//!
//! Each check does what a node does at its start, in this process, and undoes it: what it says is
//! what the kernel says here and now, under the limits and filters that nodes would inherit.
//!
//! | word | means |
//! |---|---|
//! | ok | as a node needs it |
//! | slower | programs run; something is slower, or a further way of running is closed |
//! | missing | programs of several nodes cannot run, or, where the line says so, only one use cannot |

mod faults;
mod host;
mod limits;
mod memory;
mod network;
mod probe;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write as _};

use clap::Parser;
use dstd_addr::{HEAP_BYTES_MAX, NODES_MAX};
use dstd_control::exit;

use crate::args;

#[derive(Parser, Debug)]
#[command(name = "dstd-launch doctor", bin_name = "dstd-launch doctor", version, args_override_self = true)]
#[command(about = "Says what this host lets the nodes of a program do, and what grants what is missing")]
#[command(after_help = "Exit status: 0 programs can run on several nodes here, 72 they cannot.")]
struct DoctorCommand {
    /// Number of nodes
    #[arg(short = 'n', long = "np", value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=i64::from(NODES_MAX)))]
    nodes: u16,
    /// Size of a node's heap [default: 128G]
    #[arg(long, value_name = "SIZE", value_parser = args::parse_heap, default_value_t = HEAP_BYTES_MAX, hide_default_value = true)]
    heap: u64,
    /// Judge for programs that run with --no-direct
    #[arg(long)]
    no_direct: bool,
}

/// What nodes are to do.
struct Wish {
    nodes: u16,
    heap_bytes: u64,
    no_direct: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Grade {
    Ok,
    Slower,
    Missing,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Grade::Ok => "ok",
            Grade::Slower => "slower",
            Grade::Missing => "missing",
        })
    }
}

/// One line of what was found.
#[derive(Debug)]
struct Finding {
    grade: Grade,
    /// Programs of several nodes need it.
    needed: bool,
    what: &'static str,
    words: String,
    /// The command that grants it.
    cure: Option<String>,
}

impl Finding {
    fn ok(what: &'static str, words: impl Into<String>) -> Finding {
        Finding { grade: Grade::Ok, needed: true, what, words: words.into(), cure: None }
    }

    fn slower(what: &'static str, words: impl Into<String>) -> Finding {
        Finding { grade: Grade::Slower, ..Finding::ok(what, words) }
    }

    fn missing(what: &'static str, words: impl Into<String>) -> Finding {
        Finding { grade: Grade::Missing, ..Finding::ok(what, words) }
    }

    /// Only one use needs it, which the words name.
    fn not_needed(self) -> Finding {
        Finding { needed: false, ..self }
    }

    fn cured_by(self, command: impl Into<String>) -> Finding {
        Finding { cure: Some(command.into()), ..self }
    }

    fn forbids(&self) -> bool {
        self.grade == Grade::Missing && self.needed
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8} {:22} {}", self.grade, self.what, self.words)?;
        match &self.cure {
            Some(command) => write!(f, "; do: {command}"),
            None => Ok(()),
        }
    }
}

/// Whether `args` ask for the doctor: the first word is `doctor`. A program of that name is `./doctor`.
pub(crate) fn is_asked(args: &[OsString]) -> bool {
    args.get(1).is_some_and(|word| word == "doctor")
}

/// Looks, prints, and returns the status to exit with; `args` begin with the word `doctor`.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> i32 {
    let command = match DoctorCommand::try_parse_from(args) {
        Ok(command) => command,
        Err(error) => return args::spoken(&error),
    };
    let wish = Wish { nodes: command.nodes, heap_bytes: command.heap, no_direct: command.no_direct };
    let findings = examine(&wish);
    let fit = !findings.iter().any(Finding::forbids);
    let mut text: String = findings.iter().map(|finding| format!("{finding}\n")).collect();
    text.push_str(&match fit {
        true => format!("fit: a program can run on {} nodes of this host\n", wish.nodes),
        false => format!("not fit: a program cannot run on {} nodes of this host\n", wish.nodes),
    });
    if let Err(error) = io::stdout().lock().write_all(text.as_bytes()) {
        eprintln!("dstd: cannot write standard output: {error}");
    }
    if fit { 0 } else { exit::UNFIT }
}

fn examine(wish: &Wish) -> Vec<Finding> {
    let mut findings = vec![host::kernel(), host::libc(), host::sandbox()];
    findings.push(memory::fixed_addresses());
    findings.push(memory::address_space(wish));
    findings.push(memory::of_peers(wish));
    findings.push(limits::mappings());
    findings.push(limits::descriptors(wish));
    findings.push(limits::processes(wish));
    findings.push(faults::handling());
    findings.push(network::loopback());
    findings.push(network::ssh());
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_grade_matter_and_cure() {
        let line = Finding::missing("descriptors", "64 are few").cured_by("ulimit -n 512").to_string();
        assert_eq!(line, "missing  descriptors            64 are few; do: ulimit -n 512");
        assert!(Finding::missing("a", "b").forbids() && !Finding::missing("a", "b").not_needed().forbids());
        assert!(!Finding::slower("a", "b").forbids() && !Finding::ok("a", "b").forbids());
    }

    #[test]
    fn only_the_first_word_calls_the_doctor() {
        let asked = |line: &str| is_asked(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(asked("dstd-launch doctor") && asked("dstd-launch doctor -n 3"));
        assert!(!asked("dstd-launch ./doctor") && !asked("dstd-launch -- doctor") && !asked("dstd-launch"));
    }
}
