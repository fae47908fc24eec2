//! Runs cargo, and knows where it puts what it builds.

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
