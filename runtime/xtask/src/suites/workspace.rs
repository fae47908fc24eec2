//! The packages of suites as a workspace in the target directory: as published for real std, and swapped in the two ways.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::items;
use super::list::{Removed, SUITES, Suite};
use crate::registry;
use crate::swap::{Lines, swap};
use crate::tree;
use crate::units::facade::Facade;
use crate::units::harness;
use crate::verdict::{Verdict, cannot, while_doing};

/// Tables of manifests that only measurements need.
const MEASURING: [&str; 3] = ["[dev-dependencies.criterion]", "[profile.bench]", "[profile.release]"];

/// The versions of everything that the suites are built from.
fn lock() -> PathBuf {
    tree::root().join("compat-tests/suites/Cargo.lock")
}

/// The packages for one facade.
pub(crate) struct Workspace {
    pub(crate) facade: Facade,
    /// Whether tests have the counts that their authors have for slow machines.
    pub(crate) fewer: bool,
    directory: PathBuf,
    /// By package, what `cargo dstd swap` changed.
    pub(crate) changed: BTreeMap<&'static str, Lines>,
}

impl Workspace {
    /// Makes it, always of all packages: so each is built from the same versions, whichever run.
    pub(crate) fn make(facade: Facade, fewer: bool, cargo_dstd: &Path) -> Verdict<Workspace> {
        let top = tree::target("suites")?;
        let name = if fewer { format!("{}, fewer", facade.name()) } else { facade.name().to_owned() };
        // Beside each other: the way to the facade is the same from both.
        let (fresh, directory) = (top.join(format!("{name}, fresh")), top.join(&name));
        if fresh.exists() {
            fs::remove_dir_all(&fresh).map_err(while_doing(fresh.display()))?;
        }
        let members: Vec<String> = SUITES.iter().map(|suite| member(suite, fewer)).collect();
        // Where one of them is built from another, that is swapped as well.
        let patch = |suite: &Suite| format!("{} = {{ path = {:?} }}\n", suite.name(), member(suite, fewer));
        let patches: String = SUITES.iter().map(patch).collect();
        tree::write(
            &fresh.join("Cargo.toml"),
            &format!(
                "[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n\
                 [profile.dev]\nopt-level = 1\ndebug = false\nincremental = false\n\n\
                 [patch.crates-io]\n{patches}"
            ),
        )?;
        if let Ok(text) = fs::read_to_string(lock()) {
            tree::write(&directory.join("Cargo.lock"), &text)?;
        }
        let published: Vec<_> = SUITES.iter().map(|suite| suite.package).collect();
        let sources = registry::fetch(&published)?;
        for (suite, source) in SUITES.iter().zip(sources) {
            let place = fresh.join(member(suite, fewer));
            tree::copy(&source, &place, &[])?;
            let manifest = place.join("Cargo.toml");
            let measures = |line: &str| MEASURING.contains(&line.trim_end());
            let text = registry::without_tables(&tree::read(&manifest)?, measures);
            tree::write(&manifest, &text)?;
        }
        let mut workspace = Workspace { facade, fewer, directory, changed: BTreeMap::new() };
        for suite in SUITES {
            let place = fresh.join(member(suite, fewer));
            workspace.changed.insert(suite.name(), swap(&place, facade, cargo_dstd)?);
            if facade != Facade::Std {
                suite.removed.iter().try_for_each(|removed| remove(removed, &place))?;
            }
            let manifest = place.join("Cargo.toml");
            let text = tree::read(&manifest)?;
            tree::write(
                &manifest,
                &format!("{text}\n[dev-dependencies]\ncompat-glue = {}\n", harness(facade)),
            )?;
        }
        // What has not changed is not built again.
        put(&fresh, &workspace.directory)?;
        Ok(workspace)
    }

    /// The manifest of a package.
    pub(crate) fn manifest(&self, suite: &Suite) -> PathBuf {
        self.directory.join(member(suite, self.fewer)).join("Cargo.toml")
    }

    /// Keeps the versions that cargo has chosen.
    pub(crate) fn keep_versions(&self) -> Verdict {
        tree::write(&lock(), &tree::read(&self.directory.join("Cargo.lock"))?)
    }
}

/// Where a package is in its workspace. cargo takes packages at the same place of two workspaces for the same, and does
/// not know of the counts.
fn member(suite: &Suite, fewer: bool) -> String {
    if fewer { format!("fewer/{}", suite.name()) } else { suite.name().to_owned() }
}

/// Takes items out of a package's file.
fn remove(removed: &Removed, package: &Path) -> Verdict {
    let path = package.join(removed.file);
    let mut text = tree::read(&path)?;
    for name in removed.items {
        let Some(without) = items::without(&text, name)? else {
            return cannot(format!("{} has no {name}", path.display()));
        };
        text = without;
    }
    tree::write(&path, &text)
}

/// Writes those of a directory's files that are text and differ.
fn put(from: &Path, to: &Path) -> Verdict {
    each(from, &mut |path, name| match fs::read_to_string(path) {
        Ok(text) => tree::write(&to.join(name), &text),
        Err(_) => Ok(()),
    })
}

/// Calls `take` with each file's path, and its name from the top.
fn each(top: &Path, take: &mut impl FnMut(&Path, &Path) -> Verdict) -> Verdict {
    let mut directories = vec![top.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).map_err(while_doing(directory.display()))? {
            let path = entry.map_err(while_doing(directory.display()))?.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                take(&path, path.strip_prefix(top).unwrap_or(&path))?;
            }
        }
    }
    Ok(())
}
