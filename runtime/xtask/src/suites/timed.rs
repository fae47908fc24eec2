//! Which units depend on time, and how: by the words of their functions.

use std::fs;
use std::path::Path;

use super::items;
use crate::verdict::{Verdict, while_doing};

/// Why a unit depends on time, and the words by which that is known. The first that fits counts.
const REASONS: [(&str, &[&str]); 4] = [
    ("measures how long something takes", &["Instant", "elapsed"]),
    ("waits with a limit", &["_timeout(", "_deadline(", "_for(", "_until(", "try_lock_for", "timeout("]),
    ("is woken at a time", &["tick(", "after(", "at("]),
    ("sleeps so that others come first", &["sleep("]),
];

/// A test function in a file.
pub(crate) struct Test {
    /// Its path in the file.
    path: String,
    reason: &'static str,
}

/// The tests of a package that depend on time, as far as their functions are written out.
#[derive(Default)]
pub(crate) struct Timed {
    /// By test program.
    tests: Vec<(String, Test)>,
}

impl Timed {
    /// Those of the package in this directory.
    pub(crate) fn of(package: &Path) -> Verdict<Timed> {
        let mut tests = Vec::new();
        for (directory, program) in [("src", Some("lib")), ("tests", None)] {
            let mut directories = vec![package.join(directory)];
            while let Some(at) = directories.pop() {
                let Ok(entries) = fs::read_dir(&at) else { continue };
                for entry in entries {
                    let path = entry.map_err(while_doing(at.display()))?.path();
                    if path.is_dir() {
                        directories.push(path);
                    } else if path.extension().is_some_and(|extension| extension == "rs") {
                        let name =
                            program.map_or_else(|| named(&path, &package.join(directory)), str::to_owned);
                        let text = fs::read_to_string(&path).map_err(while_doing(path.display()))?;
                        // Files that are no modules are no Rust to us.
                        let found = items::tests(&text).unwrap_or_default();
                        tests.extend(found.into_iter().filter_map(|(path, code)| {
                            Some((name.clone(), Test { path, reason: reason(&code)? }))
                        }));
                    }
                }
            }
        }
        Ok(Timed { tests })
    }

    /// Why the unit `program::path` depends on time, if it does.
    pub(crate) fn reason(&self, unit: &str) -> Option<&'static str> {
        let (program, path) = unit.split_once("::")?;
        let is_it = |test: &Test| path == test.path || path.ends_with(&format!("::{}", test.path));
        self.tests.iter().find(|(name, test)| name == program && is_it(test)).map(|(_, test)| test.reason)
    }
}

/// The test program that a file below `tests` belongs to.
fn named(path: &Path, top: &Path) -> String {
    let first = path.strip_prefix(top).unwrap_or(path).components().next();
    let name = first.map(|name| name.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
    name.trim_end_matches(".rs").replace('-', "_")
}

fn reason(code: &str) -> Option<&'static str> {
    let is_there = |word: &&str| {
        code.match_indices(*word).any(|(at, _)| {
            // `at(` is no end of another word.
            word.starts_with('_') || !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
        })
    };
    REASONS.iter().find(|(_, words)| words.iter().any(is_there)).map(|(reason, _)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_tell_why() {
        assert_eq!(reason("{ let start = Instant::now(); sleep(ms(1)) }"), Some(REASONS[0].0));
        assert_eq!(reason("{ r.recv_timeout(ms(1)) }"), Some(REASONS[1].0));
        assert_eq!(reason("{ recv(after(ms(1))) }"), Some(REASONS[2].0));
        assert_eq!(reason("{ thread::sleep(ms(1)) }"), Some(REASONS[3].0));
        assert_eq!(reason("{ let x = format(1); oversleep(2) }"), None);
    }

    #[test]
    fn units_are_found_by_program_and_path() {
        let test = Test { path: "mutex::tests::f".to_owned(), reason: "r" };
        let timed = Timed { tests: vec![("lib".to_owned(), test)] };
        assert_eq!(timed.reason("lib::a::mutex::tests::f"), Some("r"));
        assert_eq!(timed.reason("lib::mutex::tests::f"), Some("r"));
        assert_eq!(timed.reason("array::mutex::tests::f"), None);
        assert_eq!(timed.reason("lib::xmutex::tests::f"), None);
        assert_eq!(named(Path::new("/p/tests/it/a.rs"), Path::new("/p/tests")), "it");
        assert_eq!(named(Path::new("/p/tests/b-1.rs"), Path::new("/p/tests")), "b_1");
    }
}
