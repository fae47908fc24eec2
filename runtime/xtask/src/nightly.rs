//! Runs cargo of the nightly toolchain: Miri and the sanitizers are there only. Programs never need it.

use std::process::{Command, Stdio};

use crate::tree;
use crate::verdict::{Verdict, cannot, while_doing};

/// The toolchain that has them: one of a day, so that all machines check with the same.
const TOOLCHAIN: &str = "nightly-2026-05-20";

/// Nightly's cargo, in the workspace, if its toolchain has `component` or can get it.
pub(crate) fn cargo(component: &str, words: &[&str]) -> Verdict<Command> {
    add(component)?;
    let mut command = Command::new("rustup");
    command.args(["run", TOOLCHAIN, "cargo"]).args(words).current_dir(tree::root()).stdin(Stdio::null());
    // What the cargo that runs us has set is about its own toolchain.
    for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"] {
        command.env_remove(variable);
    }
    Ok(command)
}

/// The target that it builds for when it is not told another one: sanitizers want it named.
pub(crate) fn host() -> Verdict<String> {
    let mut rustc = Command::new("rustup");
    rustc.args(["run", TOOLCHAIN, "rustc", "-vV"]).current_dir(tree::root()).stdin(Stdio::null());
    let output = rustc.output().map_err(while_doing(format!("{rustc:?}")))?;
    let said = String::from_utf8_lossy(&output.stdout);
    match said.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(host) => Ok(host.to_owned()),
        None => cannot(format!("{rustc:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// Does nothing, and needs no network, where the component is there.
fn add(component: &str) -> Verdict {
    let mut rustup = Command::new("rustup");
    rustup.args(["component", "add", "--toolchain", TOOLCHAIN, component]);
    let output = rustup.current_dir(tree::root()).stdin(Stdio::null()).output();
    let output = output.map_err(while_doing("rustup, which brings the nightly toolchain"))?;
    if output.status.success() {
        return Ok(());
    }
    cannot(format!(
        "{}this needs {component} of the toolchain {TOOLCHAIN}: \
         rustup toolchain install {TOOLCHAIN} --profile minimal --component {component}",
        String::from_utf8_lossy(&output.stderr)
    ))
}
