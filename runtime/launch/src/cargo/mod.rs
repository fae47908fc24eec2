//! `cargo dstd`: makes, checks, swaps, builds, runs and tests dstd programs.
//!
//! ```text
//! args -> new       a project from the template
//!      |  check --- source, lint      what of a program's sources stays on one node
//!      |  swap ---- source, manifest, vcs      `std` becomes `dstd`
//!      |  build --- choose, convert      builds, finds out what was built, launches it
//!      `  test ---- convert      `cargo test`, with this command as the runner of test programs
//! convert           other people's crates against dstd; wrapper: what cargo starts in place of rustc for that
//! metadata          what cargo knows of the workspace
//! ```

mod args;
mod build;
mod check;
mod choose;
mod convert;
mod lint;
mod manifest;
mod metadata;
mod new;
mod source;
mod swap;
mod test;
mod vcs;
mod wrapper;

use std::env;
use std::ffi::OsString;

use args::What;
use metadata::Failure;

/// What cargo says about the program that it runs (this one, when started through an alias); a build
/// or a program that inherits it would take it for its own.
const OF_CARGO_RUN: [&str; 6] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_CRATE_NAME",
    "CARGO_BIN_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_MANIFEST_LINKS",
];

/// The word with which cargo starts this command to run a test program.
const RUNNER: &str = "launch";

/// Does what the words say; returns the status to exit with.
pub(crate) fn main(mut args: Vec<OsString>) -> i32 {
    if args.get(1).is_some_and(|word| word == RUNNER) {
        wrapper::forget();
        args.remove(1);
        return crate::main(args.into_iter());
    }
    // cargo gives its subcommands their own name as the first word; a compiler's wrapper gets the compiler.
    if args.get(1).is_some_and(|word| word == "dstd") {
        args.remove(1);
    } else if let Some(status) = wrapper::run(&args) {
        return status;
    }
    if crate::doctor::is_asked(&args) {
        return crate::doctor::run(args.into_iter().skip(1));
    }
    let what = match args::parse(args.into_iter()) {
        Ok(what) => what,
        Err(error) => return crate::args::spoken(&error),
    };
    forget_cargo_run();
    let done = match what {
        What::New(command) => new::run(&command),
        What::Check(command) => check::run(&command),
        What::Swap(command) => swap::run(&command),
        What::Build(command) => build::build(&command),
        What::Run(command) => build::run(*command),
        What::Test(command) => test::run(*command),
        // It has its own command line, and was asked before.
        What::Doctor => Ok(crate::doctor::run(std::iter::once("doctor".into()))),
    };
    done.unwrap_or_else(|(code, words): Failure| {
        if !words.is_empty() {
            eprintln!("dstd: {words}");
        }
        code
    })
}

fn forget_cargo_run() {
    for (name, _) in env::vars_os() {
        let ours =
            name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || OF_CARGO_RUN.contains(&name));
        if ours {
            // SAFETY: the process has one thread here: `main` has just been entered.
            unsafe { env::remove_var(&name) };
        }
    }
}
