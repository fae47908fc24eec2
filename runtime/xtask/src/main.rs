//! Checks and long commands of the workspace: `cargo xtask COMMAND`.
//!
//! | command | what it does |
//! |---|---|
//! | `verify` | fmt, clippy, tidy, docs, tests, statics; stops at the first failure |
//! | `tidy` | rules about files that no compiler checks |
//! | `api [--write]` | what std has, and whether the facades have it: makes the files that their tests compile |
//! | `statics` | which statics the nodes of a built program share |
//! | `sim [--seeds N] [--from S]` | simulates the protocols |
//! | `compat [--module M] [--facade F] [--nodes N] [--sample] [--write]` | std's own suites on the facades; `--module scenarios`: our programs on std and on N nodes |
//! | `apps [--name N] [--nodes N] [--sample] [--write]` | existing programs on real std and on the facades |
//! | `suites [--name N] [--facade F] [--nodes N] [--sample] [--write]` | the suites of threaded crates on the facades |
//! | `miri [--seeds N] [--from S]` | addresses and the heap in Miri, which needs the nightly toolchain |
//! | `loom` | every order of the lock-free parts |
//! | `fuzz [--seconds N] [--from SEED]` | bytes that nobody would send to the decoders |
//! | `sanitize` | heap, rings and locks under the address and thread sanitizers, which need the nightly toolchain |
//! | `drill [--rounds N] [--from S]` | kills nodes of running programs |
//! | `soak [--runs N] [--name CRATE] [--transport shm\|tcp\|domain]` | crates whose threads run on all nodes (`--spread all`): counts runs that hang or fail |
//! | `elsewhere` | the facades compile for targets on which a program has one node |
//! | `package` | every published crate builds from its package |
//! | `bench [--samples N]` | what running costs beside std, and all of `modes` |
//! | `bench build [PART] [--samples N]` | what building costs beside std, with targets; parts: see [`builds`] |
//! | `bench page [PART] [--samples N]` | what nodes reach of the bare transport, the kernel and std, with targets; parts: see [`targets`] |
//! | `modes [--samples N]` | what single operations cost by each way nodes have to talk |
//!
//! All exit with 0 for pass, 1 for fail, 2 when they could not run, and write rows of results with `--json FILE`.
#![forbid(unsafe_code)]

mod api;
mod apps;
mod arguments;
mod bench;
mod builds;
mod canary;
mod cargo;
mod compat;
mod drill;
mod elsewhere;
mod fuzz;
mod layers;
mod links;
mod loom;
mod marked;
mod miri;
mod modes;
mod nightly;
mod package;
mod processes;
mod programs;
mod registry;
mod row;
mod samples;
mod sanitize;
mod sim;
mod soak;
mod statics;
mod suites;
mod swap;
mod symbols;
mod targets;
mod tidy;
mod tree;
mod units;
mod verdict;
mod verify;

use std::process::ExitCode;

use arguments::Arguments;
use row::Row;
use verdict::{Verdict, cannot};

const USAGE: &str = "usage: cargo xtask verify|tidy|api [--write]|statics|sim|compat|apps|suites|miri|loom|fuzz|sanitize|drill|soak|elsewhere|package|bench|bench build|page [PART]|modes [OPTIONS] [--json FILE]";

fn main() -> ExitCode {
    if let Some(compiled) = suites::compiler::run() {
        return compiled.map_or_else(
            |wrong| {
                eprintln!("xtask: {wrong}");
                ExitCode::from(wrong.code())
            },
            ExitCode::from,
        );
    }
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(wrong) => {
            eprintln!("{wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut rows = Vec::new();
    let verdict = run(&arguments, &mut rows).and_then(|()| row::judge(&rows));
    let verdict = match arguments.json.as_deref().map(|file| row::write(file, &rows)) {
        Some(Err(wrong)) => verdict.and(Err(wrong)),
        Some(Ok(())) | None => verdict,
    };
    match verdict {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("xtask {}: {wrong}", arguments.command);
            ExitCode::from(wrong.code())
        }
    }
}

fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    match arguments.command.as_str() {
        "verify" => verify::run(rows),
        "tidy" => tidy::run(rows),
        "api" => api::run(arguments, rows),
        "statics" => statics::run(rows),
        "sim" => sim::run(arguments, rows),
        "compat" => compat::run(arguments, rows),
        "apps" => apps::run(arguments, rows),
        "suites" => suites::run(arguments, rows),
        "miri" => miri::run(arguments, rows),
        "loom" => loom::run(rows),
        "fuzz" => fuzz::run(arguments, rows),
        "sanitize" => sanitize::run(rows),
        "drill" => drill::run(arguments, rows),
        "soak" => soak::run(arguments, rows),
        "elsewhere" => elsewhere::run(rows),
        "package" => package::run(rows),
        "bench" => bench::run(arguments, rows),
        "bench build" => builds::run(arguments, rows),
        "bench page" => targets::run(arguments, rows),
        "modes" => modes::run(arguments, rows),
        other => cannot(format!("there is no command {other:?}\n{USAGE}")),
    }
}
