//! The programs as a workspace in the target directory: for real std, and swapped in the two ways.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::programs::Program;
use crate::registry;
use crate::swap::{Lines, swap};
use crate::tree;
use crate::units::facade::Facade;
use crate::verdict::{Verdict, cannot, while_doing};

/// The versions of everything that the programs are built from.
pub(crate) fn lock() -> PathBuf {
    tree::root().join("compat-tests/apps/Cargo.lock")
}

/// A workspace of programs.
pub(crate) struct Workspace {
    pub(crate) facade: Facade,
    pub(crate) directory: PathBuf,
    /// For each program, what `cargo dstd swap` changed.
    pub(crate) changed: Vec<Lines>,
}

/// Makes a workspace for each facade.
pub(crate) fn make(programs: &[&Program], cargo_dstd: &Path) -> Verdict<Vec<Workspace>> {
    let published: Vec<_> = programs.iter().map(|program| program.package).collect();
    let sources = registry::fetch(&published)?;
    let make = |facade| Workspace::make(facade, programs, &sources, cargo_dstd);
    Facade::ALL.into_iter().map(make).collect()
}

impl Workspace {
    fn make(
        facade: Facade,
        programs: &[&Program],
        sources: &[PathBuf],
        cargo_dstd: &Path,
    ) -> Verdict<Workspace> {
        let directory = tree::target("apps")?.join(facade.name());
        let members: Vec<String> = programs.iter().map(|program| program.package.0.to_owned()).collect();
        let manifest = format!(
            "[workspace]\nresolver = \"2\"\nmembers = {members:?}\n\n[profile.release]\nopt-level = 1\nincremental = false\n"
        );
        for (name, source) in members.iter().zip(sources) {
            let place = directory.join(name);
            if place.exists() {
                fs::remove_dir_all(&place).map_err(while_doing(place.display()))?;
            }
            tree::copy(source, &place, &LEFT_OUT)?;
            strip(&place.join("Cargo.toml"))?;
        }
        let written = |name: &str, text: &str| {
            let path = directory.join(name);
            fs::write(&path, text).map_err(while_doing(path.display()))
        };
        written("Cargo.toml", &manifest)?;
        if lock().exists() {
            written("Cargo.lock", &tree::read(&lock())?)?;
        }
        let mut workspace = Workspace { facade, directory, changed: Vec::new() };
        for name in &members {
            workspace.changed.push(swap(&workspace.directory.join(name), facade, cargo_dstd)?);
        }
        // Files that are as they were are not built again, unless the command that swapped them has changed.
        let time = fs::metadata(cargo_dstd).and_then(|file| file.modified());
        let time = time.map_err(while_doing(cargo_dstd.display()))?;
        members.iter().try_for_each(|name| date(&workspace.directory.join(name), time))?;
        Ok(workspace)
    }
}

/// What is not part of a program: what only its tests need, and what cargo adds to a package.
const LEFT_OUT: [&str; 8] = [
    "Cargo.lock",
    "Cargo.toml.orig",
    ".cargo-ok",
    ".cargo_vcs_info.json",
    ".cargo",
    "tests",
    "benches",
    "examples",
];

/// Takes what only tests need out of a manifest, and profiles, which are the workspace's.
fn strip(manifest: &Path) -> Verdict {
    let text = tree::read(manifest)?;
    if !text.lines().any(|line| line.trim() == "[package]") {
        return cannot(format!("{} is no manifest of a package", manifest.display()));
    }
    fs::write(manifest, stripped(&text)).map_err(while_doing(manifest.display()))
}

fn stripped(text: &str) -> String {
    let tables = ["[[test]]", "[[bench]]", "[[example]]", "[profile", "[badges"];
    registry::without_tables(text, |line| {
        line.contains("dev-dependencies") || tables.iter().any(|table| line.starts_with(table))
    })
}

fn date(path: &Path, time: SystemTime) -> Verdict {
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(while_doing(path.display()))? {
            date(&entry.map_err(while_doing(path.display()))?.path(), time)?;
        }
        return Ok(());
    }
    let file = File::options().write(true).open(path);
    file.and_then(|file| file.set_modified(time)).map_err(while_doing(path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_tests_need_is_left_out_of_a_manifest() {
        let text = "[package]\nname = \"a\"\n[[test]]\nname = \"t\"\n[dependencies.b]\nversion = \"1\"\n\
                    [target.'cfg(unix)'.dev-dependencies.c]\nversion = \"1\"\n[features]\n[profile.release]\nlto = true\n";
        assert_eq!(
            stripped(text),
            "[package]\nname = \"a\"\n[dependencies.b]\nversion = \"1\"\n[features]\n"
        );
    }
}
