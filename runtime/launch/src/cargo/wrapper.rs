//! What cargo starts in place of the compiler while crates are converted (`RUSTC_WRAPPER`).
//!
//! A converted crate is compiled with `--extern std=FACADE`: the compiler looks up `std` for its paths, its prelude
//! and its macros among what a crate is given, before it takes its own. Nothing else differs, and all other crates
//! are compiled as without this.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;

use dstd_control::exit;
use serde::{Deserialize, Serialize};

/// Carries an [`Order`] to the wrapper.
const ORDER: &str = "DSTD_CONVERT";
/// The wrapper that the user has (`sccache` and the like).
const NEXT: &str = "DSTD_CONVERT_NEXT";
/// What the wrapper says of a crate that waits for the facade.
pub(super) const WAITS: &str = "dstd: waits for the facade";

/// What is to be converted.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// Packages, by name and version.
    pub(crate) packages: Vec<(String, String)>,
    /// The library that is to be their std; none: they wait for it, and everything else is built.
    pub(crate) facade: Option<PathBuf>,
}

impl Order {
    /// Lets a cargo command carry out the order.
    pub(crate) fn apply(&self, command: &mut Command) {
        let words = serde_json::to_string(self);
        let (Ok(this), Ok(words)) = (env::current_exe(), words) else { return };
        if let Some(next) = env::var_os("RUSTC_WRAPPER").filter(|next| !next.is_empty() && *next != this) {
            command.env(NEXT, next);
        }
        command.env("RUSTC_WRAPPER", this).env(ORDER, words);
    }
}

/// Test programs are not told.
pub(crate) fn forget() {
    for name in [ORDER, NEXT, "RUSTC_WRAPPER"] {
        // SAFETY: the process has one thread here: `main` has just been entered.
        unsafe { env::remove_var(name) };
    }
}

/// Compiles, if this process was started in place of the compiler.
pub(crate) fn run(args: &[OsString]) -> Option<i32> {
    let order: Order = serde_json::from_str(&env::var(ORDER).ok()?).ok()?;
    let [_, compiler, rest @ ..] = args else { return None };
    let mut command = match env::var_os(NEXT) {
        Some(next) => {
            let mut command = Command::new(next);
            command.arg(compiler);
            command
        }
        None => Command::new(compiler),
    };
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let package = (variable("CARGO_PKG_NAME"), variable("CARGO_PKG_VERSION"));
    if order.packages.contains(&package) && is_for_the_program(rest) {
        let Some(facade) = &order.facade else {
            eprintln!("{WAITS}");
            return Some(1);
        };
        let mut std = OsString::from("std=");
        std.push(facade);
        command.arg("--extern").arg(std);
    }
    let status = command.args(rest).status();
    Some(status.ok().and_then(|status| status.code()).unwrap_or(exit::INTERNAL))
}

/// Whether a compiler's arguments make code of the program: what runs while building (build scripts, macros and
/// what they need) is compiled without `--target`, as one is always named here.
fn is_for_the_program(args: &[OsString]) -> bool {
    let follows = |name: &str, wanted: &dyn Fn(&OsStr) -> bool| {
        args.windows(2).any(|pair| pair[0] == name && wanted(&pair[1]))
    };
    let is_crate = args.iter().any(|word| word == "--crate-name");
    let has_target = args.iter().any(|word| word == "--target");
    is_crate
        && has_target
        && !follows("--crate-type", &|kind| kind == "proc-macro")
        && !follows("--crate-name", &|name| name.to_string_lossy().starts_with("build_script_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_the_program_is_converted() {
        let is = |line: &str| is_for_the_program(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(is("--crate-name a --edition=2021 a.rs --crate-type lib --target x"));
        assert!(!is("--crate-name a --edition=2021 a.rs --crate-type lib"), "it runs while building");
        assert!(!is("--crate-name a a.rs --crate-type proc-macro --target x"));
        assert!(!is("--crate-name build_script_build build.rs --crate-type bin --target x"));
        assert!(!is("-vV"));
    }
}
