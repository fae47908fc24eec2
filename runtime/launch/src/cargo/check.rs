//! `cargo dstd check`: says of a package's own sources what stays on one node.

use std::env;

use super::args::{CheckCommand, Facade};
use super::lint::{LINTS, Program, find, show};
use super::metadata::{Failure, Package, ask, here, wrong};
use super::source::Sources;
use super::swap::SOURCE;

/// Prints findings on stderr, as the compiler does.
pub(crate) fn run(command: &CheckCommand) -> Result<i32, Failure> {
    if command.list {
        LINTS.iter().for_each(|lint| println!("{:16} {}", lint.name, lint.about));
        return Ok(0);
    }
    let known =
        |name: &String| LINTS.iter().any(|lint| lint.name == plain(name)) || plain(name) == "warnings";
    if let Some(name) = command.deny.iter().chain(&command.allow).find(|name| !known(name)) {
        return Err(wrong(format!("there is no lint {name}; `cargo dstd check --list` shows them")));
    }
    let mut args = vec!["--no-deps".into()];
    args.extend(command.manifest_path.iter().flat_map(|path| ["--manifest-path".into(), path.into()]));
    let metadata = ask(&args)?;
    let packages = if command.workspace {
        metadata.packages.iter().collect()
    } else {
        let here = here(command.manifest_path.as_deref())?;
        metadata.selected(&command.package, &here).map_err(wrong)?
    };
    let mut denied = false;
    for package in packages {
        denied |= check(package, command)?;
    }
    Ok(if denied { SOURCE } else { 0 })
}

/// Checks one package; whether something is found that is denied.
fn check(package: &Package, command: &CheckCommand) -> Result<bool, Failure> {
    let program = program(package);
    // What runs while building has one node.
    let sources = Sources::of(package).map_err(|words| (SOURCE, words))?;
    sources.say_unseen(package);
    let from = env::current_dir().unwrap_or_default();
    let (mut warnings, mut errors) = (0, 0);
    for (path, source) in &sources.files {
        let file = path.strip_prefix(&from).unwrap_or(path).display().to_string();
        for finding in find(source, &program) {
            let level = match level(command, finding.lint) {
                Level::Allow => continue,
                Level::Warn => "warning",
                Level::Deny => "error",
            };
            *(if level == "error" { &mut errors } else { &mut warnings }) += 1;
            eprint!("{}", show(source, &file, &finding, level, command.message_format));
        }
    }
    for (count, word) in [(warnings, "warning"), (errors, "error")] {
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            eprintln!("{word}: `{}` has {count} {word}{plural} of `cargo dstd check`", package.name);
        }
    }
    if !program.renamed && !depends(package, Facade::Dstd) {
        eprintln!(
            "dstd: `{}` does not depend on dstd: `cargo dstd swap --write` changes that, or `std = {{ package = \
             \"dstd-std\", .. }}` in its Cargo.toml",
            package.name
        );
    }
    Ok(errors > 0)
}

/// What its Cargo.toml says of a package.
fn program(package: &Package) -> Program {
    let crates = package.dependencies.iter().map(|dependency| dependency.in_sources().replace('-', "_"));
    Program { renamed: depends(package, Facade::DstdStd), crates: crates.collect() }
}

fn depends(package: &Package, facade: Facade) -> bool {
    let is_it = |name: &str, called: &str| name == facade.package() && called == facade.name();
    package.dependencies.iter().any(|dependency| is_it(&dependency.name, dependency.in_sources()))
}

enum Level {
    Allow,
    Warn,
    Deny,
}

fn level(command: &CheckCommand, lint: &str) -> Level {
    let named = |names: &[String], name: &str| names.iter().any(|word| plain(word) == name);
    if named(&command.allow, lint) {
        Level::Allow
    } else if named(&command.deny, lint) || named(&command.deny, "warnings") {
        Level::Deny
    } else if named(&command.allow, "warnings") {
        Level::Allow
    } else {
        Level::Warn
    }
}

/// A lint without the name of the tool.
fn plain(name: &str) -> &str {
    name.strip_prefix("dstd::").unwrap_or(name)
}
