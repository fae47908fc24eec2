//! `cargo dstd swap`: `std` becomes `dstd`, in a package's sources and its Cargo.toml.
//!
//! Only the word `std` of paths is replaced, wherever one begins: in `use`, in code, in the arguments of macros.
//! Strings, comments and everything else stay as they are, byte for byte.
//!
//! | stays `std` | why |
//! |---|---|
//! | build scripts and files that they share, macros of their own packages (`proc-macro`) | they run while building |
//! | files outside the package's directory | other packages may share them |
//! | the arguments of `quote!`, `stringify!`, `cpp!` and the like | they are text, code of another crate, or C++ |
//! | the bodies of exported macros | they are expanded in crates that may not know dstd |
//! | `core`, `alloc` | they start no threads |

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use dstd_control::exit;

use super::args::{Facade, SwapCommand};
use super::manifest::{origin, with_dependency};
use super::metadata::{Failure, Metadata, Package, ask, here, wrong};
use super::source::edit::{Edit, apply, unified};
use super::source::{Kind, Named, Source, Sources, place};
use super::vcs;

mod write;

/// A file and what it becomes.
struct Swapped {
    path: PathBuf,
    old: String,
    new: String,
}

/// Shows the difference on stdout, and makes it if that is wanted.
pub(crate) fn run(command: &SwapCommand) -> Result<i32, Failure> {
    let mut args = vec!["--no-deps".into()];
    args.extend(command.manifest_path.iter().flat_map(|path| ["--manifest-path".into(), path.into()]));
    let metadata = ask(&args)?;
    let package = chosen(&metadata, command)?;
    let mut swapped = Vec::new();
    let paths = match command.facade {
        Facade::Dstd => sources(package, &mut swapped)?,
        Facade::DstdStd => 0,
    };
    swapped.extend(manifest(package, &metadata, command)?);
    if swapped.is_empty() {
        eprintln!("dstd: {} is swapped already", package.name);
        return Ok(0);
    }
    let directory = real(package.directory())?;
    show(&swapped, &directory)?;
    let count = format!("{paths} paths in {} files", swapped.len());
    if !command.write {
        eprintln!("dstd: {count}; nothing is written without --write");
        return Ok(0);
    }
    let files: Vec<&Path> = swapped.iter().map(|file| &*file.path).collect();
    vcs::is_clean(&directory, &files, command.allow_dirty, command.allow_no_vcs).map_err(wrong)?;
    write::all(&swapped).map_err(|words| (exit::INTERNAL, words))?;
    eprintln!("dstd: swapped {count}; next: cargo fmt, which orders imports by name, and cargo dstd check");
    Ok(0)
}

/// The package to swap.
fn chosen<'a>(metadata: &'a Metadata, command: &SwapCommand) -> Result<&'a Package, Failure> {
    let here = here(command.manifest_path.as_deref())?;
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
    Ok(package)
}

/// The path without links and `..`.
fn real(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|error| wrong(format!("{}: {error}", path.display())))
}

/// Prints the difference; `git apply` takes names below the directory where it is started.
fn show(swapped: &[Swapped], directory: &Path) -> Result<(), Failure> {
    let here = real(&env::current_dir().unwrap_or_default())?;
    let from = if directory.starts_with(&here) { &here } else { directory };
    for file in swapped {
        let name = file.path.strip_prefix(from).unwrap_or(&file.path).to_string_lossy().into_owned();
        print!("{}", unified(&name, &file.old, &file.new));
    }
    if *from != here {
        eprintln!("dstd: names are those in {}: `git apply` takes the difference there", from.display());
    }
    Ok(())
}

fn manifest(
    package: &Package,
    metadata: &Metadata,
    command: &SwapCommand,
) -> Result<Option<Swapped>, Failure> {
    let facade = command.facade;
    let there = package
        .dependencies
        .iter()
        .find(|dependency| dependency.kind.is_none() && dependency.in_sources() == facade.name());
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
    Ok(Some(Swapped { path: real(&package.manifest_path)?, old, new }))
}

/// Swaps all files of a package; returns the number of paths.
fn sources(package: &Package, swapped: &mut Vec<Swapped>) -> Result<usize, Failure> {
    let all = Sources::of(package).map_err(|words| (SOURCE, words))?;
    if let Some(words) = all.files.values().find_map(own_std) {
        return Err(wrong(words));
    }
    all.say_unseen(package);
    let directory = real(package.directory())?;
    let mut paths = 0;
    let mut roots = Vec::new();
    for source in all.files.values() {
        let edits = edits(source);
        let why = if !source.path.starts_with(&directory) {
            Some("it is not in the package's directory")
        } else if all.building.contains_key(&source.path) {
            Some("the build script, which has no dstd, shares it")
        } else {
            None
        };
        if let Some(why) = why {
            if !edits.is_empty() {
                eprintln!("dstd: {} stays as it is: {why}", source.path.display());
            }
            continue;
        }
        say_kept(source);
        paths += edits.len();
        roots.extend(all.roots.iter().find(|root| **root == source.path));
        if !edits.is_empty() {
            let (path, old) = (source.path.clone(), source.text.clone());
            swapped.push(Swapped { path, new: apply(&old, &edits), old });
        }
    }
    if package.edition == "2015" && paths > 0 {
        for root in roots {
            declare(&all.files[root], swapped);
        }
    }
    Ok(paths)
}

/// Says which paths of a source are left alone.
fn say_kept(source: &Source) {
    for path in source.named.iter().filter(|path| is_std(path)) {
        let Some(why) = path.kept else { continue };
        let (line, column, _) = place(&source.text, path.words[0].at.start);
        eprintln!("dstd: {}:{line}:{column}: stays `std`: {why}", source.path.display());
    }
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

fn is_std(path: &Named) -> bool {
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
    let is_ours = |name: &str| name == "std" || name == "dstd";
    let module = source
        .modules
        .iter()
        .map(|module| (&module.name, &*module.name.text))
        .find(|(_, name)| is_ours(name));
    let import = source.named.iter().filter(|path| path.kept.is_none()).find_map(|path| {
        let first = path.words.first().filter(|word| !is_ours(&word.text))?;
        let name = match &path.kind {
            Kind::Use { glob: true, .. } | Kind::Code => return None,
            Kind::Use { alias, .. } | Kind::ExternCrate { alias } => {
                alias.as_deref().or(path.words.last().map(|word| &*word.text))?
            }
        };
        is_ours(name).then_some((first, name))
    });
    let (word, name) = module.or(import)?;
    let (line, column, _) = place(&source.text, word.at.start);
    let path = source.path.display();
    Some(format!("{path}:{line}:{column}: the program has a `{name}` of its own: swap it by hand"))
}

#[cfg(test)]
mod tests;
