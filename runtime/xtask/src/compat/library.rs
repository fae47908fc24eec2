//! Where the toolchain keeps the sources of its standard library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::verdict::{Verdict, cannot, while_doing};

/// The sources of the standard library of the toolchain that builds us.
pub(crate) struct Library {
    directory: PathBuf,
    /// The version of the toolchain, as in `1.95.0`.
    pub(crate) version: String,
}

impl Library {
    /// Those that rustup has installed.
    pub(crate) fn find() -> Verdict<Library> {
        let sysroot = rustc(&["--print", "sysroot"])?;
        let words = rustc(&["--version"])?;
        let Some(version) = words.split(' ').nth(1) else { return cannot(format!("rustc is {words:?}")) };
        let directory = Path::new(&sysroot).join("lib/rustlib/src/rust/library");
        if directory.join("alloctests/tests/lib.rs").is_file() {
            return Ok(Library { directory, version: version.to_owned() });
        }
        cannot(format!(
            "std's own suites are not in {}; `rustup component add rust-src` brings them",
            directory.display()
        ))
    }

    /// The text of a file, named from the top of the library.
    pub(crate) fn read(&self, name: &str) -> Verdict<String> {
        let path = self.directory.join(name);
        fs::read_to_string(&path).map_err(while_doing(path.display()))
    }

    /// The names of all Rust files in a directory and below, sorted.
    pub(crate) fn files(&self, directory: &str) -> Verdict<Vec<String>> {
        let path = self.directory.join(directory);
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(while_doing(path.display()))? {
            let entry = entry.map_err(while_doing(path.display()))?;
            let name = format!("{directory}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                names.extend(self.files(&name)?);
            } else if name.ends_with(".rs") {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}

fn rustc(words: &[&str]) -> Verdict<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(words).output().map_err(while_doing("rustc"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
