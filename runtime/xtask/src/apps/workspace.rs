//! The programs as a workspace in the target directory: for real std, and swapped in the two ways.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::programs::Program;
use crate::lines::{Lines, changed};
use crate::registry;
use crate::tree;
use crate::verdict::{Verdict, cannot, fail, while_doing};

/// Against what the programs are built.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Facade {
    /// Real std.
    Std,
    /// dstd, renamed to `std` in Cargo.toml.
    DstdStd,
    /// dstd, by `use dstd`.
    Dstd,
}

impl Facade {
    pub(crate) const ALL: [Facade; 3] = [Facade::Std, Facade::DstdStd, Facade::Dstd];

    /// Its name on command lines, and of its directories.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Facade::Std => "std",
            Facade::DstdStd => "dstd-std",
            Facade::Dstd => "dstd",
        }
    }
}

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
            copy(source, &place)?;
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
            let lines = workspace.swap(name, cargo_dstd)?;
            workspace.changed.push(lines);
        }
        // Files that are as they were are not built again, unless the command that swapped them has changed.
        let time = fs::metadata(cargo_dstd).and_then(|file| file.modified());
        let time = time.map_err(while_doing(cargo_dstd.display()))?;
        members.iter().try_for_each(|name| date(&workspace.directory.join(name), time))?;
        Ok(workspace)
    }

    /// Puts the facade in place; what changed in the program's sources.
    fn swap(&self, name: &str, cargo_dstd: &Path) -> Verdict<Lines> {
        if self.facade == Facade::Std {
            return Ok(Lines::default());
        }
        let mut command = Command::new(cargo_dstd);
        command.args(["dstd", "swap", "--write", "--allow-dirty", "--allow-no-vcs", "--facade"]);
        command.arg(self.facade.name()).arg("--dstd-path").arg(tree::root());
        command.arg("--manifest-path").arg(self.directory.join(name).join("Cargo.toml"));
        let output = command.output().map_err(while_doing(format!("{command:?}")))?;
        if !output.status.success() {
            return fail(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(changed(&String::from_utf8_lossy(&output.stdout)))
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

fn copy(from: &Path, to: &Path) -> Verdict {
    fs::create_dir_all(to).map_err(while_doing(to.display()))?;
    for entry in fs::read_dir(from).map_err(while_doing(from.display()))? {
        let entry = entry.map_err(while_doing(from.display()))?;
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            if !LEFT_OUT.iter().any(|left| name == *left) {
                copy(&path, &to.join(&name))?;
            }
        } else if !LEFT_OUT.iter().any(|left| name == *left) {
            let text = fs::read(&path).map_err(while_doing(path.display()))?;
            // Written and not copied: files of the registry may be read-only.
            fs::write(to.join(&name), text).map_err(while_doing(path.display()))?;
        }
    }
    Ok(())
}

/// Takes what only tests need out of a manifest, and profiles, which are the workspace's.
fn strip(manifest: &Path) -> Verdict {
    let text = tree::read(manifest)?;
    if !text.lines().any(|line| line.trim() == "[package]") {
        return cannot(format!("{} is no manifest of a package", manifest.display()));
    }
    fs::write(manifest, stripped(&text)).map_err(while_doing(manifest.display()))
}

fn stripped(text: &str) -> String {
    let mut keep = true;
    let kept = |line: &&str| {
        if line.starts_with('[') {
            keep = !(line.contains("dev-dependencies")
                || ["[[test]]", "[[bench]]", "[[example]]", "[profile", "[badges"]
                    .iter()
                    .any(|table| line.starts_with(table)));
        }
        keep
    };
    text.lines().filter(kept).flat_map(|line| [line, "\n"]).collect()
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
