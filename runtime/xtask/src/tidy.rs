//! Rules about files that no compiler checks.

use std::path::Path;

use crate::row::Row;
use crate::verdict::{Verdict, fail};
use crate::{layers, links, tree};

/// A file with more lines is worth a look.
const LINES_MANY: usize = 400;
/// A file with fewer lines needs no introduction.
const LINES_FEW: usize = 8;
/// Crates without unsafe code: their roots say so.
const SAFE: &[&str] = &[
    "runtime/addr/src",
    "runtime/protocol/src",
    "runtime/sim/src",
    "runtime/xtask/src",
    "dstd/src",
    "dstd/std/src",
    "examples/false_sharing/src",
    "examples/word_count/src",
    "compat-tests/third/src",
    "compat-tests/on-std/place",
];
/// Macros of unfinished code.
const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];

/// Checks all files; prints the long ones.
pub(crate) fn run(rows: &mut Vec<Row>) -> Verdict {
    let mut wrong = Vec::new();
    let files = tree::files(".rs")?;
    let mut lines = 0;
    for path in &files {
        let text = tree::read(path)?;
        let count = text.lines().count();
        lines += count;
        if count > LINES_MANY {
            println!("tidy: {} has {count} lines", tree::name(path));
        }
        check(&tree::name(path), &text, &mut wrong);
    }
    check_roots(&files, &mut wrong)?;
    links::check(&mut wrong)?;
    layers::check(&mut wrong)?;
    rows.push(Row::new("source files", files.len() as f64, "files", "cargo xtask tidy"));
    rows.push(Row::new("source lines", lines as f64, "lines", "cargo xtask tidy"));
    if wrong.is_empty() { Ok(()) } else { fail(wrong.join("\n")) }
}

/// The rules for one file.
fn check(name: &str, text: &str, wrong: &mut Vec<String>) {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let introduced = first.starts_with("//!") || first.starts_with("#![doc = include_str!");
    if text.lines().count() >= LINES_FEW && !introduced {
        wrong.push(format!("{name} does not begin with what it is about (//!)"));
    }
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for macro_name in UNFINISHED {
            if calls(code, macro_name) {
                wrong.push(format!("{name}:{}: {macro_name}! is unfinished code", number + 1));
            }
        }
    }
}

/// Whether `code` calls the macro, and not one whose name ends alike.
fn calls(code: &str, macro_name: &str) -> bool {
    let call = format!("{macro_name}!");
    code.match_indices(&call).any(|(at, _)| {
        !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
            && code[at + call.len()..].starts_with(['(', '['])
    })
}

fn check_roots(files: &[impl AsRef<Path>], wrong: &mut Vec<String>) -> Verdict {
    let mut checked = vec![false; SAFE.len()];
    for path in files {
        let name = tree::name(path.as_ref());
        let Some(at) = SAFE.iter().position(|safe| name.starts_with(safe)) else { continue };
        if !is_root(&name) {
            continue;
        }
        checked[at] = true;
        if !tree::read(path.as_ref())?.contains("#![forbid(unsafe_code)]") {
            wrong.push(format!("{name} does not forbid unsafe code"));
        }
    }
    for (safe, checked) in SAFE.iter().zip(checked) {
        if !checked {
            wrong.push(format!("{safe} has no crate root: is it still there?"));
        }
    }
    Ok(())
}

/// Whether a file is the root of a library or a program.
fn is_root(name: &str) -> bool {
    ["/lib.rs", "/src/main.rs"].iter().any(|root| name.ends_with(root)) || name.contains("/src/bin/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        check("f.rs", text, &mut wrong);
        wrong
    }

    #[test]
    fn unfinished_code_is_found_where_it_is_code() {
        let call = format!("    {}!(\"later\")", UNFINISHED[0]);
        assert_eq!(wrong(&call).len(), 1);
        assert!(wrong(&format!("// {call}")).is_empty());
        assert!(wrong(&format!("my_{}!()", UNFINISHED[0])).is_empty());
    }

    #[test]
    fn only_longer_files_need_an_introduction() {
        let long = "fn f() {}\n".repeat(LINES_FEW);
        assert_eq!(wrong(&long).len(), 1);
        assert!(wrong(&format!("//! F.\n\n{long}")).is_empty());
        assert!(wrong("fn f() {}\n").is_empty());
    }

    #[test]
    fn roots_are_libraries_and_programs() {
        assert!(is_root("dstd/src/lib.rs") && is_root("a/src/main.rs") && is_root("a/src/bin/b.rs"));
        assert!(!is_root("a/src/b.rs") && !is_root("a/tests/main.rs"));
    }
}
