//! `cargo dstd swap`: `std` becomes `dstd`, in a package's sources and its Cargo.toml.
//!
//! Only the word `std` of paths is replaced, wherever one begins: in `use`, in code, in the arguments of macros.
//! Strings, comments and everything else stay as they are, byte for byte.
//!
//! | stays `std` | why |
//! |---|---|
//! | build scripts, macros of their own packages (`proc-macro`) | they run while building |
//! | the arguments of `quote!`, `stringify!` and the like | they are text, or code of another crate |
//! | the bodies of exported macros | they are expanded in crates that may not know dstd |
//! | `core`, `alloc` | they start no threads |

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use dstd_control::exit;

use super::args::{Facade, SwapCommand};
use super::manifest::{origin, with_dependency};
use super::metadata::{Failure, Metadata, Package, ask, here, wrong};
use super::source::edit::{Edit, apply, unified};
use super::source::{Kind, Source, place, walk};
use super::vcs;

/// A file and what it becomes.
struct Swapped {
    path: PathBuf,
    old: String,
    new: String,
}

/// Shows the difference on stdout, and makes it if that is wanted.
pub(crate) fn run(command: &SwapCommand) -> Result<i32, Failure> {
    let here = here(command.manifest_path.as_deref())?;
    let mut args = vec!["--no-deps".into()];
    args.extend(command.manifest_path.iter().flat_map(|path| ["--manifest-path".into(), path.into()]));
    let metadata = ask(&args)?;
    let package = match &*metadata.selected(command.package.as_slice(), &here).map_err(wrong)? {
        [package] => *package,
        several => {
            let names: Vec<&str> = several.iter().map(|package| package.name.as_str()).collect();
            return Err(wrong(format!("swap one package after another: --package {}", names.join(", "))));
        }
    };
    if package.is_proc_macro() {
        return Err(wrong(format!(
            "{} makes macros, and runs in the compiler: it has no threads",
            package.name
        )));
    }
    let mut swapped = Vec::new();
    let mut paths = 0;
    let broken = |words: String| (exit::INTERNAL, words);
    if command.facade == Facade::Dstd {
        paths = sources(package, &mut swapped)?;
    }
    swapped.extend(manifest(package, &metadata, command)?);
    if swapped.is_empty() {
        eprintln!("dstd: {} is swapped already", package.name);
        return Ok(0);
    }
    let shown = env::current_dir().map_err(|error| broken(error.to_string()))?;
    for file in &swapped {
        let name = file.path.strip_prefix(&shown).unwrap_or(&file.path).to_string_lossy().into_owned();
        print!("{}", unified(name.trim_start_matches('/'), &file.old, &file.new));
    }
    let count = format!("{paths} paths in {} files", swapped.len());
    if !command.write {
        eprintln!("dstd: {count}; nothing is written without --write");
        return Ok(0);
    }
    vcs::is_clean(package.directory(), command.allow_dirty, command.allow_no_vcs).map_err(wrong)?;
    for file in &swapped {
        fs::write(&file.path, &file.new)
            .map_err(|error| broken(format!("{}: {error}", file.path.display())))?;
    }
    eprintln!("dstd: swapped {count}; next: cargo fmt, which orders imports by name, and cargo dstd check");
    Ok(0)
}

fn manifest(
    package: &Package,
    metadata: &Metadata,
    command: &SwapCommand,
) -> Result<Option<Swapped>, Failure> {
    let facade = command.facade;
    let there = package.dependencies.iter().find(|dependency| {
        dependency.kind.is_none() && dependency.rename.as_deref().unwrap_or(&dependency.name) == facade.name()
    });
    match there {
        Some(dependency) if dependency.name == facade.package() => return Ok(None),
        Some(dependency) => {
            return Err(wrong(format!(
                "{} depends on a {} that is {}: rename or remove it first",
                package.name,
                facade.name(),
                dependency.name
            )));
        }
        None => {}
    }
    let read =
        |path: &Path| fs::read_to_string(path).map_err(|error| wrong(format!("{}: {error}", path.display())));
    let old = read(&package.manifest_path)?;
    let root = metadata.workspace_root.join("Cargo.toml");
    let root = if root == package.manifest_path { old.clone() } else { read(&root)? };
    let origin = origin(&command.origin)?;
    let new = with_dependency(&old, package.directory(), Some(&root), facade, &origin).map_err(wrong)?;
    Ok(Some(Swapped { path: package.manifest_path.clone(), old, new }))
}

/// Swaps all files of a package; returns the number of paths.
fn sources(package: &Package, swapped: &mut Vec<Swapped>) -> Result<usize, Failure> {
    let targets = || package.targets.iter().filter(|target| !target.is("custom-build"));
    let mut files = BTreeMap::new();
    for target in targets() {
        walk(&target.src_path, &mut files).map_err(|words| (SOURCE, words))?;
    }
    if let Some(words) = files.values().find_map(own_std) {
        return Err(wrong(words));
    }
    let mut paths = 0;
    let mut roots = Vec::new();
    for source in files.values() {
        let edits = edits(source);
        let kept: Vec<_> = source.named.iter().filter(|path| path.kept.is_some() && is_std(path)).collect();
        for path in kept {
            let (line, column, _) = place(&source.text, path.words[0].at.start);
            let why = path.kept.unwrap_or_default();
            eprintln!("dstd: {}:{line}:{column}: stays `std`: {why}", source.path.display());
        }
        paths += edits.len();
        if !source.path.starts_with(package.directory()) && !edits.is_empty() {
            eprintln!(
                "dstd: {} is not in the package's directory, and stays as it is",
                source.path.display()
            );
            continue;
        }
        roots.extend(targets().map(|target| &target.src_path).find(|root| **root == source.path));
        if !edits.is_empty() {
            let (path, old) = (source.path.clone(), source.text.clone());
            swapped.push(Swapped { path, new: apply(&old, &edits), old });
        }
    }
    if package.edition == "2015" && paths > 0 {
        for root in roots {
            declare(&files[root], swapped);
        }
    }
    Ok(paths)
}

/// The status when a source cannot be read: that of the compiler.
pub(super) const SOURCE: i32 = 101;

/// In edition 2015 a crate's name is known where it is declared.
fn declare(root: &Source, swapped: &mut Vec<Swapped>) {
    let declared = root
        .named
        .iter()
        .any(|path| matches!(path.kind, Kind::ExternCrate { .. }) && path.words[0].text == "dstd");
    if declared {
        return;
    }
    let edit = Edit { at: root.items..root.items, text: "extern crate dstd;\n".to_owned() };
    match swapped.iter_mut().find(|file| file.path == root.path) {
        // What is swapped stands behind the first item's beginning.
        Some(file) => file.new = apply(&file.new, &[edit]),
        None => {
            let new = apply(&root.text, &[edit]);
            swapped.push(Swapped { path: root.path.clone(), old: root.text.clone(), new });
        }
    }
}

fn is_std(path: &super::source::Named) -> bool {
    if path.words[0].text != "std" {
        return false;
    }
    match path.kind {
        Kind::Code => path.words.len() > 1 || path.open,
        Kind::Use { .. } | Kind::ExternCrate { .. } => true,
    }
}

/// What replaces the `std` of one file's paths.
fn edits(source: &Source) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    for path in source.named.iter().filter(|path| path.kept.is_none() && is_std(path)) {
        let at = path.words[0].at.clone();
        let text = match &path.kind {
            // The name that is declared stays the same.
            Kind::ExternCrate { alias: None } => "dstd as std",
            _ => "dstd",
        };
        // The leaves of one tree of imports share their first word.
        if edits.last().is_none_or(|last| last.at.start < at.start) {
            edits.push(Edit { at, text: text.to_owned() });
        }
    }
    edits
}

/// Words about a `std` or `dstd` that the program has made itself, where there is one.
fn own_std(source: &Source) -> Option<String> {
    let module = source
        .modules
        .iter()
        .map(|module| &module.name)
        .find(|name| name.text == "std" || name.text == "dstd");
    let alias = source.named.iter().find_map(|path| match &path.kind {
        Kind::Use { alias: Some(alias), .. } | Kind::ExternCrate { alias: Some(alias) }
            if (alias == "std" || alias == "dstd")
                && path.words.last().is_none_or(|word| word.text != "std" && word.text != "dstd") =>
        {
            path.words.first()
        }
        _ => None,
    });
    let name = module.or(alias)?;
    let (line, column, _) = place(&source.text, name.at.start);
    let path = source.path.display();
    Some(format!("{path}:{line}:{column}: the program has a `{}` of its own: swap it by hand", name.text))
}

#[cfg(test)]
mod tests;
