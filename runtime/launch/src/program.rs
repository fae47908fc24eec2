//! Where the program is, found as `execvp` finds it.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// There is no such program.
#[derive(Debug)]
pub(crate) enum NotFound {
    /// The path leads nowhere, or to something that cannot be executed.
    Path { path: PathBuf, why: io::Error },
    /// No directory of PATH has it; `here`: the working directory does.
    Name { name: String, here: bool },
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotFound::Path { path, why } => write!(f, "cannot run {}: {why}", path.display()),
            NotFound::Name { name, here: true } => {
                write!(f, "cannot find {name} in PATH: to run the one in this directory, write ./{name}")
            }
            NotFound::Name { name, here: false } => {
                write!(f, "cannot find {name} in PATH, and there is no ./{name}")
            }
        }
    }
}

/// The absolute path of `program`: a name without `/` is looked for in `path` only.
pub(crate) fn find(program: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, NotFound> {
    let as_path = Path::new(program);
    if program.as_bytes().contains(&b'/') {
        return executable(as_path).map_err(|why| NotFound::Path { path: as_path.to_owned(), why });
    }
    let directories = path.map(|path| env::split_paths(path).collect::<Vec<_>>()).unwrap_or_default();
    // An empty entry of PATH means the working directory.
    let found = directories.iter().find_map(|dir| executable(&Path::new(".").join(dir).join(program)).ok());
    found.ok_or_else(|| NotFound::Name {
        name: program.to_string_lossy().into_owned(),
        here: executable(as_path).is_ok(),
    })
}

/// Whether nodes can have `dir` as their working directory; the reason, when not. Starting a process does not
/// tell this from a program that is missing.
pub(crate) fn directory(dir: &Path) -> Result<(), String> {
    let found = dir.metadata().and_then(|found| match found.is_dir() {
        true => Ok(()),
        false => Err(io::ErrorKind::NotADirectory.into()),
    });
    found.map_err(|why| format!("--chdir {}: {why}", dir.display()))
}

fn executable(path: &Path) -> io::Result<PathBuf> {
    let metadata = path.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not executable"));
    }
    std::path::absolute(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_for_in_path_and_only_there() {
        let found = find(OsStr::new("sh"), Some(OsStr::new("/nowhere:/bin:/usr/bin"))).unwrap();
        assert_eq!(found, Path::new("/bin/sh"));
        let missing = find(OsStr::new("sh"), Some(OsStr::new("/nowhere"))).unwrap_err();
        assert!(matches!(missing, NotFound::Name { here: false, .. }), "{missing:?}");
        assert!(find(OsStr::new("sh"), None).is_err());
    }

    #[test]
    fn a_path_is_taken_as_it_is() {
        assert_eq!(find(OsStr::new("/bin/sh"), None).unwrap(), Path::new("/bin/sh"));
        for (path, why) in [
            ("/no/such", io::ErrorKind::NotFound),
            ("/bin/", io::ErrorKind::IsADirectory),
            ("/etc/passwd", io::ErrorKind::PermissionDenied),
        ] {
            match find(OsStr::new(path), None) {
                Err(NotFound::Path { why: found, .. }) => assert_eq!(found.kind(), why, "{path}"),
                other => panic!("{path}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_directory_that_is_missing_is_named() {
        assert_eq!(directory(Path::new("/")), Ok(()));
        for path in ["/no/such", "/bin/sh"] {
            assert!(directory(Path::new(path)).unwrap_err().starts_with(&format!("--chdir {path}: ")));
        }
    }

    #[test]
    fn a_name_in_this_directory_is_suggested() {
        let words = NotFound::Name { name: "prog".to_owned(), here: true }.to_string();
        assert!(words.contains("write ./prog"), "{words}");
    }
}
