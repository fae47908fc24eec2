//! `cargo dstd new`: a project whose program and tests run on several nodes at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use dstd_control::exit;

use super::args::{Facade, NewCommand};
use super::manifest::{Origin, origin, with_dependency};
use super::metadata::{Failure, broken, cargo};

const MAIN: &str = include_str!("template/main.rs");
const TESTS: &str = include_str!("template/tests.rs");
/// Where cargo takes profiles from: the Cargo.toml of the workspace.
const PROFILE: &str = "
# Debug builds link these in half the time; without these lines a debugger can look into them.
[profile.dev.package]
\"*\".debug = false
dstd-runtime.opt-level = 1
dstd-heap.opt-level = 1
dstd-protocol.opt-level = 1
dstd-transport.opt-level = 1
";

/// Makes the project: `cargo new` decides names, edition, version control and membership of a workspace.
pub(crate) fn run(command: &NewCommand) -> Result<i32, Failure> {
    let origin = origin(&command.origin)?;
    let mut new = cargo();
    new.args(["new", "--bin", "--quiet"]);
    if let Some(name) = &command.name {
        new.args(["--name", name]);
    }
    if let Some(vcs) = &command.vcs {
        new.args(["--vcs", vcs]);
    }
    let status = new.arg("--").arg(&command.path).stdin(Stdio::null()).status().map_err(broken)?;
    if !status.success() {
        return Err((status.code().unwrap_or(exit::INTERNAL), String::new()));
    }
    fill(command, &origin).map_err(|words| {
        let left =
            format!("what `cargo new` made is left in {}: remove it to try again", command.path.display());
        (exit::INTERNAL, format!("{words}; {left}"))
    })?;
    eprintln!("dstd: made {0}; next: cd {0} && cargo dstd run -n 3", command.path.display());
    Ok(0)
}

/// Makes what is `cargo new`'s a program of dstd with a test.
fn fill(command: &NewCommand, origin: &Origin) -> Result<(), String> {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let directory = command.path.canonicalize().map_err(|error| failed(&command.path, error))?;
    let path = directory.join("Cargo.toml");
    let manifest = fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
    let mut manifest = with_dependency(&manifest, &directory, None, command.facade, origin)?;
    if workspace(&path)? == path {
        manifest.push_str(PROFILE);
    }
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).map_err(|error| failed(&path, error))
    };
    write("Cargo.toml", &manifest)?;
    write("src/main.rs", &told(MAIN, command.facade))?;
    fs::create_dir(directory.join("tests")).map_err(|error| failed(&directory, error))?;
    write("tests/threads.rs", &told(TESTS, command.facade))
}

/// The Cargo.toml of the workspace that a package belongs to: its own, if it belongs to none.
fn workspace(manifest: &Path) -> Result<PathBuf, String> {
    let mut ask = cargo();
    ask.args(["locate-project", "--workspace", "--message-format", "plain", "--manifest-path"]);
    let output = ask.arg(manifest).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim_end().to_owned());
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end()))
}

/// The template as a program says it that names dstd so.
fn told(template: &str, facade: Facade) -> String {
    template.replace("dstd::", &format!("{}::", facade.name()))
}
