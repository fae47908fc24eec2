//! Runs a dstd program on several nodes.
//!
//! ```text
//! args -> job --- program    where PROGRAM is
//!      |      |-- spawn      one process a node: environment, secret, statistics block, streams
//!      |      |-- links      sockets between the nodes, which share memory
//!      |      |-- hosts      the same on other hosts: agents behind ssh
//!      |      |-- signals    ^C, TERM, USR1, USR2, ^Z; handlers: who can take them
//!      |      |-- output     what the nodes print: shown, logged
//!      |      |-- console    stderr, the launcher's own words
//!      |      |-- verdict    why it ended (pure)
//!      |      `-- report     what happened, as JSON and in words; symbols: lines of the program
//!      |-- dry_run           what would be started
//!      |-- top               what a running program does
//!      |-- cargo             `cargo dstd`: new, check, swap, build, run, test
//!      `-- doctor            what this host lets nodes do
//! ```
//! The job's thread decides; the other threads wait for one thing each and send it an event.

// The launcher runs where clusters run; elsewhere the binaries say so and nothing is left here.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod args;
mod cargo;
mod console;
mod doctor;
mod dry_run;
mod everyday;
mod handlers;
mod hosts;
mod job;
mod links;
mod output;
mod program;
mod remains;
mod report;
mod signals;
mod spawn;
mod symbols;
mod sys;
mod top;
mod verdict;

use std::ffi::OsString;

#[cfg(fuzzing)]
pub use hosts::frames::fuzzing::frames as fuzz_frames;

/// The command `dstd-launch`: runs the program named in `args` (the first is the command's own
/// name) and returns the status to exit with.
///
/// Must be called by a thread that lives until it returns: the nodes die with it.
pub fn main(args: impl Iterator<Item = OsString>) -> i32 {
    let args: Vec<OsString> = args.collect();
    if doctor::is_asked(&args) {
        return doctor::run(args.into_iter().skip(1));
    }
    if args.get(1).is_some_and(|word| word == "top") {
        return top::run(args.into_iter().skip(1));
    }
    if let [_, first, rest @ ..] = &args[..]
        && first == "agent"
        && rest.len() <= 1
    {
        return hosts::agent::main(rest.first().cloned());
    }
    match args::parse_launch(args.into_iter()) {
        Ok(plan) => job::run(&plan),
        Err(code) => code,
    }
}

/// The command `cargo-dstd`, as started by `cargo dstd`: makes, checks, builds, runs and tests programs.
pub fn cargo_main(args: impl Iterator<Item = OsString>) -> i32 {
    cargo::main(args.collect())
}
