//! Builds the programs of a workspace.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::programs::{Program, THREADED};
use super::workspace::{Facade, Workspace};
use crate::cargo;
use crate::tree;
use crate::verdict::{Verdict, while_doing};

/// What cargo calls this host; programs with converted crates are built for a target that is named.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A program, or why there is none.
pub(crate) type Built = Result<PathBuf, String>;

/// Builds a program: with real std by cargo, else by `cargo dstd`, with the crates converted that start threads for it.
pub(crate) fn build(program: &Program, workspace: &Workspace, cargo_dstd: &Path) -> Verdict<Built> {
    let target = tree::target("apps")?.join("build").join(workspace.facade.name());
    let manifest = workspace.directory.join("Cargo.toml");
    let mut command = match workspace.facade {
        Facade::Std => cargo::cargo(&["build", "--release"]),
        Facade::DstdStd | Facade::Dstd => {
            let mut command = Command::new(cargo_dstd);
            command.args(["dstd", "build", "--target", TARGET]);
            command.args(threaded(program, &manifest)?.iter().flat_map(|name| ["--convert", name]));
            command
        }
    };
    command.args(["--package", program.package.0, "--bin", program.bin]).args(program.features);
    command.arg("--manifest-path").arg(&manifest).arg("--target-dir").arg(&target);
    command.current_dir(&workspace.directory);
    let output = command.output().map_err(while_doing(format!("{command:?}")))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        println!("{command:?}\n{words}");
        let error = words.lines().find(|line| line.starts_with("error")).unwrap_or("error: no words");
        return Ok(Err(error.to_owned()));
    }
    let target = if workspace.facade == Facade::Std { target } else { target.join(TARGET) };
    Ok(Ok(target.join("release").join(program.bin)))
}

/// Which of [`THREADED`] a program is built from.
fn threaded(program: &Program, manifest: &Path) -> Verdict<Vec<&'static str>> {
    let words = ["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--package", program.package.0];
    let mut command = cargo::cargo(&words);
    let output = command.args(program.features).arg("--manifest-path").arg(manifest).output();
    let output = output.map_err(while_doing(format!("{command:?}")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_there = |name: &&str| text.lines().any(|line| line.split(' ').next() == Some(*name));
    Ok(THREADED.into_iter().filter(is_there).collect())
}
