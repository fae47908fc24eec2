//! Runs cargo, and knows where it puts what it builds.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::tree;
use crate::verdict::{Verdict, cannot, fail, while_doing};

/// The cargo that runs us, in the workspace.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(words).current_dir(tree::root()).stdin(Stdio::null());
    command
}

/// Runs cargo; its output goes to ours.
pub(crate) fn run(words: &[&str]) -> Verdict {
    passes(&mut cargo(words))
}

/// Runs a command that must succeed.
pub(crate) fn passes(command: &mut Command) -> Verdict {
    let status = command.status().map_err(while_doing(format!("{command:?}")))?;
    if status.success() { Ok(()) } else { fail(format!("{command:?} ended with {status}")) }
}

/// Runs a command that must succeed and that runs tests; its output goes to ours. None at all is a failure.
pub(crate) fn tests_pass(command: &mut Command) -> Verdict {
    let doing = format!("{command:?}");
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(while_doing(&doing))?;
    let mut count = 0;
    for line in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
        let line = line.map_err(while_doing(&doing))?;
        count += passed(&line);
        println!("{line}");
    }
    let status = child.wait().map_err(while_doing(&doing))?;
    match (status.success(), count) {
        (true, 0) => fail(format!("{doing} runs no test")),
        (true, _) => Ok(()),
        (false, _) => fail(format!("{doing} ended with {status}")),
    }
}

/// How many tests have passed, in the line that sums up those of a program.
fn passed(line: &str) -> u64 {
    let counts = line.split_once("test result: ok. ").and_then(|(_, counts)| counts.split_once(" passed;"));
    counts.and_then(|(count, _)| count.parse().ok()).unwrap_or(0)
}

/// What cargo prints.
pub(crate) fn output(words: &[&str]) -> Verdict<String> {
    let mut command = cargo(words);
    let output = command.output().map_err(while_doing(format!("{command:?}")))?;
    if !output.status.success() {
        return cannot(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(while_doing(format!("{command:?}")))
}

/// The directory of release programs.
pub(crate) fn release() -> Verdict<PathBuf> {
    let metadata = output(&["metadata", "--format-version", "1", "--no-deps"])?;
    let found = metadata.split_once("\"target_directory\":\"").and_then(|(_, rest)| rest.split_once('"'));
    match found {
        Some((target, _)) => Ok(PathBuf::from(target).join("release")),
        None => cannot("cargo does not tell its target directory"),
    }
}

/// Builds release programs of these packages; the directory they are in.
pub(crate) fn build_release(packages: &[&str]) -> Verdict<PathBuf> {
    let mut words = vec!["build", "--release", "--quiet"];
    packages.iter().for_each(|package| words.extend(["-p", package]));
    run(&words)?;
    release()
}

/// The names of all crates that `package` is built from (as they appear in symbols), itself included.
pub(crate) fn closure(package: &str) -> Verdict<Vec<String>> {
    let tree = output(&[
        "tree",
        "-p",
        package,
        "-e",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--format",
        "{lib}",
    ])?;
    let mut names: Vec<String> = tree.lines().map(|line| line.trim().replace('-', "_")).collect();
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_run_tests_must_run_some() {
        let says = |words: &str, code: &str| {
            let script = format!("echo \"$0\"; exit {code}");
            tests_pass(Command::new("sh").args(["-c", &script, words]))
        };
        let (none, some) = (
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out",
            "running 12 tests\ntest result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
        );
        assert!(says(&format!("{none}\n{some}\n{none}"), "0").is_ok());
        assert!(says(some, "1").is_err());
        for nothing in [none, "", "test result: FAILED. 12 passed; 1 failed"] {
            assert!(says(nothing, "0").is_err(), "{nothing}");
        }
    }
}
