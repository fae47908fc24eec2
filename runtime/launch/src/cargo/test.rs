//! `cargo dstd test`: `cargo test`, whose test programs the launcher runs on several nodes.
//!
//! cargo decides what is built and run, in which order and where; this command is the *runner* of its target,
//! so that unit tests, integration tests and documentation tests are started by it. The test harness is that of
//! real std: it runs tests on node 0, and what they spawn runs everywhere.

use std::env;
use std::ffi::OsString;
use std::process::Stdio;

use dstd_control::exit;

use super::RUNNER;
use super::args::TestCommand;
use super::convert;
use super::metadata::{Failure, broken, cargo, wrong};
use crate::args::decide;

/// Where clusters run: the target of programs, unless another is named.
pub(super) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Runs the tests; the status is cargo's.
pub(crate) fn run(mut command: TestCommand) -> Result<i32, Failure> {
    // Wrong options are told before anything is built.
    decide(&mut command.launch).map_err(|code| (code, String::new()))?;
    let this = env::current_exe().map_err(broken)?;
    let this = this.to_str().ok_or_else(|| wrong("the path of this command is not UTF-8"))?;
    let mut runner = vec![this.to_owned(), RUNNER.to_owned()];
    for word in &command.launch_words {
        let word = word.to_str().ok_or_else(|| wrong(format!("{} is not UTF-8", word.display())))?;
        runner.push(word.to_owned());
    }
    // A path and words may hold spaces: a list, as JSON writes it, is one of TOML too.
    let runner = serde_json::to_string(&runner).map_err(|error| broken(error.into()))?;

    let conversion = convert::prepare_tests(&command.cargo, command.workspace, &command.build_args())?;
    let mut tests = cargo();
    tests.arg("test").args(command.test_args());
    // Whatever target cargo builds for, by its option, its settings or the environment. The one of clusters is named
    // as well, since a name goes before a runner that the user's settings have for several targets.
    for target in [TARGET, "'cfg(all())'"] {
        tests.arg("--config").arg(format!("target.{target}.runner={runner}"));
    }
    conversion.apply(&mut tests);
    if !command.program_args().is_empty() {
        tests.arg(OsString::from("--")).args(command.program_args());
    }
    let status = tests.stdin(Stdio::null()).status().map_err(broken)?;
    Ok(status.code().unwrap_or(exit::INTERNAL))
}
