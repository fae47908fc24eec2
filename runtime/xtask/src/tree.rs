//! The files of the workspace.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo;
use crate::verdict::{Verdict, while_doing};

/// The top of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A directory for what is built with flags of its own, in cargo's target directory.
pub(crate) fn target(name: &str) -> Verdict<PathBuf> {
    Ok(cargo::release()?.with_file_name(name))
}

/// All files below the top whose names end with `suffix`, without what builds made.
pub(crate) fn files(suffix: &str) -> Verdict<Vec<PathBuf>> {
    let mut found = Vec::new();
    walk(root(), suffix, &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(directory: &Path, suffix: &str, found: &mut Vec<PathBuf>) -> Verdict {
    let doing = || while_doing(directory.display().to_string());
    for entry in fs::read_dir(directory).map_err(doing())? {
        let entry = entry.map_err(doing())?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type().map_err(doing())?.is_dir() {
            if !["target", ".git"].contains(&&*name) {
                walk(&path, suffix, found)?;
            }
        } else if name.ends_with(suffix) {
            found.push(path);
        }
    }
    Ok(())
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> Verdict<String> {
    fs::read_to_string(path).map_err(while_doing(path.display()))
}

/// Writes a file, unless it is so already: what has not changed is not built again.
pub(crate) fn write(path: &Path, text: &str) -> Verdict {
    if fs::read_to_string(path).is_ok_and(|now| now == text) {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).and_then(|()| fs::write(path, text)).map_err(while_doing(path.display()))
}

/// Copies a directory, without what has one of these names. Written and not copied: what is copied may be read-only.
pub(crate) fn copy(from: &Path, to: &Path, left_out: &[&str]) -> Verdict {
    fs::create_dir_all(to).map_err(while_doing(to.display()))?;
    for entry in fs::read_dir(from).map_err(while_doing(from.display()))? {
        let entry = entry.map_err(while_doing(from.display()))?;
        let (path, name) = (entry.path(), entry.file_name());
        if left_out.iter().any(|left| name == *left) {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(&name), left_out)?;
        } else {
            let bytes = fs::read(&path).map_err(while_doing(path.display()))?;
            fs::write(to.join(&name), bytes).map_err(while_doing(path.display()))?;
        }
    }
    Ok(())
}

/// A path as it is named from the top.
pub(crate) fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
