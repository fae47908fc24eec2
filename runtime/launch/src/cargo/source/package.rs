//! All sources of one package.

use std::fs;
use std::path::{Path, PathBuf};

use super::modules::{Files, walk};
use crate::cargo::metadata::Package;

/// So many files are named that nothing leads to.
const NAMED_MAX: usize = 10;

/// The files of a package's targets.
pub(crate) struct Sources {
    /// Of programs, library, tests, examples and benches.
    pub(crate) files: Files,
    /// Of what runs while building: build scripts and macros.
    pub(crate) building: Files,
    /// The roots of the targets in `files`.
    pub(crate) roots: Vec<PathBuf>,
}

impl Sources {
    /// Reads them.
    pub(crate) fn of(package: &Package) -> Result<Sources, String> {
        let mut all = Sources { files: Files::new(), building: Files::new(), roots: Vec::new() };
        for target in &package.targets {
            if target.is("custom-build") || target.is("proc-macro") {
                walk(&target.src_path, &mut all.building)?;
            } else {
                all.roots.push(walk(&target.src_path, &mut all.files)?);
            }
        }
        Ok(all)
    }

    /// Says on stderr which sources were not looked at, as modules that macros declare are not seen.
    pub(crate) fn say_unseen(&self, package: &Package) {
        let mut unseen: Vec<PathBuf> = below(&package.directory().join("src"));
        unseen.retain(|path| !self.files.contains_key(path) && !self.building.contains_key(path));
        unseen.sort();
        for path in unseen.iter().take(NAMED_MAX) {
            eprintln!("dstd: {} is not looked at: no `mod` that can be seen leads to it", path.display());
        }
        if let more @ 1.. = unseen.len().saturating_sub(NAMED_MAX) {
            eprintln!("dstd: nor are {more} other files");
        }
    }
}

/// The Rust files in a directory and below.
fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = directory.canonicalize().into_iter().collect();
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(path),
                Ok(kind) if kind.is_file() && path.extension().is_some_and(|end| end == "rs") => {
                    found.push(path);
                }
                _ => {}
            }
        }
    }
    found
}
