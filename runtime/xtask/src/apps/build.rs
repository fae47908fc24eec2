//! Builds the programs of a workspace.

use std::path::PathBuf;

use super::programs::Program;
use super::workspace::Workspace;
use crate::cargo;
use crate::tree;
use crate::verdict::{Verdict, while_doing};

/// A program, or why there is none.
pub(crate) type Built = Result<PathBuf, String>;

/// Builds a program, by cargo alone.
pub(crate) fn build(program: &Program, workspace: &Workspace) -> Verdict<Built> {
    let target = tree::target("apps")?.join("build").join(workspace.facade.name());
    let mut command = cargo::cargo(&["build", "--release", "--package", program.package.0]);
    command.args(["--bin", program.bin]).args(program.features).current_dir(&workspace.directory);
    command.arg("--target-dir").arg(&target);
    let output = command.output().map_err(while_doing(format!("{command:?}")))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        println!("{command:?}\n{words}");
        let error = words.lines().find(|line| line.starts_with("error")).unwrap_or("error: no words");
        return Ok(Err(error.to_owned()));
    }
    Ok(Ok(target.join("release").join(program.bin)))
}
