//! Builds the test programs of a package: with cargo for real std, else with `cargo dstd test`, as a user would.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::compiler;
use super::list::Suite;
use super::workspace::Workspace;
use crate::cargo;
use crate::tree;
use crate::units::facade::Facade;
use crate::verdict::{Verdict, cannot, while_doing};

/// What cargo calls this host; programs with converted crates are built for a target that is named.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The test program of the library's own modules.
const LIB: &str = "lib";
/// Test programs without tests, unless they are built for a model checker.
const FOR_MODELS: &str = "loom";

/// The test programs by name. One that does not compile is missing, and what the compiler says is told.
pub(crate) fn build(
    suite: &Suite,
    workspace: &Workspace,
    cargo_dstd: &Path,
) -> Verdict<BTreeMap<String, PathBuf>> {
    let targets = targets(suite, workspace)?;
    match try_build(suite, workspace, cargo_dstd, &targets)? {
        Ok(programs) => Ok(programs),
        Err(_) => {
            let mut programs = BTreeMap::new();
            for target in &targets {
                match try_build(suite, workspace, cargo_dstd, std::slice::from_ref(target))? {
                    Ok(built) => programs.extend(built),
                    Err(words) => println!("{}::{target} does not compile: {words}", suite.label()),
                }
            }
            Ok(programs)
        }
    }
}

/// The names of the package's test programs.
fn targets(suite: &Suite, workspace: &Workspace) -> Verdict<Vec<String>> {
    let mut command = cargo::cargo(&["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
    command.arg(workspace.manifest(suite));
    let output = command.output().map_err(while_doing(format!("{command:?}")))?;
    if !output.status.success() {
        return cannot(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(while_doing("cargo metadata"))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let package = packages.filter(|package| package["name"] == suite.name());
    let targets = package.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let names = targets.filter(|target| target["test"] == true).filter_map(|target| {
        match target["kind"][0].as_str()? {
            "lib" => Some(LIB),
            "test" => target["name"].as_str(),
            _ => None,
        }
    });
    Ok(names.filter(|name| *name != FOR_MODELS).map(str::to_owned).collect())
}

/// Builds these; the programs, or the compiler's first error.
fn try_build(
    suite: &Suite,
    workspace: &Workspace,
    cargo_dstd: &Path,
    targets: &[String],
) -> Verdict<Result<BTreeMap<String, PathBuf>, String>> {
    let mut command = match workspace.facade {
        Facade::Std => cargo::cargo(&["test"]),
        Facade::Dstd | Facade::DstdStd => {
            let mut command = Command::new(cargo_dstd);
            command.args(["dstd", "test", "--target", TARGET]);
            command.args(suite.convert.iter().flat_map(|name| ["--convert", name]));
            command
        }
    };
    command.arg("--no-run");
    for target in targets {
        match target.as_str() {
            LIB => command.arg("--lib"),
            name => command.args(["--test", name]),
        };
    }
    let manifest = workspace.manifest(suite);
    let target = tree::target("suites")?.join("build").join(workspace.facade.name());
    command.arg("--manifest-path").arg(&manifest).arg("--target-dir").arg(&target);
    command.current_dir(manifest.parent().unwrap_or(&manifest));
    compiler::apply(&mut command, workspace.fewer)?;
    let output = command.output().map_err(while_doing(format!("{command:?}")))?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        let is_error = |line: &&str| line.starts_with("error") || line.starts_with("dstd: ");
        let error: Vec<&str> =
            words.lines().skip_while(|line| !is_error(line)).take(2).map(str::trim).collect();
        return Ok(Err(if error.is_empty() { words } else { error.join(" ") }));
    }
    let directory = manifest.parent().unwrap_or(&manifest);
    let programs: BTreeMap<String, PathBuf> =
        words.lines().filter_map(program).map(|(name, path)| (name, directory.join(path))).collect();
    match programs.len() == targets.len() {
        true => Ok(Ok(programs)),
        false => cannot(format!("{command:?} does not say where all programs are: {words}")),
    }
}

/// The program that a line of cargo's tells: `Executable tests/a.rs (path/a-0123)`.
fn program(line: &str) -> Option<(String, PathBuf)> {
    let (source, path) = line.trim().strip_prefix("Executable ")?.split_once(" (")?;
    let path = PathBuf::from(path.strip_suffix(')')?);
    let name = match source.starts_with("unittests ") {
        true => LIB.to_owned(),
        false => path.file_name()?.to_str()?.rsplit_once('-')?.0.to_owned(),
    };
    Some((name, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_have_names() {
        let of = |line: &str| program(line).map(|(name, path)| (name, path.display().to_string()));
        assert_eq!(
            of("  Executable unittests src/lib.rs (/t/debug/deps/a_b-01)"),
            Some(("lib".to_owned(), "/t/debug/deps/a_b-01".to_owned()))
        );
        assert_eq!(
            of("  Executable tests/it/main.rs (t/debug/deps/it-9f)"),
            Some(("it".to_owned(), "t/debug/deps/it-9f".to_owned()))
        );
        assert_eq!(of("   Compiling a v1.0.0 (/x)"), None);
    }
}
