//! The programs of compat-ui with `std` in place of `dstd`, as a package that is renamed to std has them.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs about `place`, which real std does not have.
const OURS: &str = "place_";

fn programs(directory: &str) -> BTreeMap<String, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let programs = files.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    programs.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The programs here are made from those of compat-ui.
fn are_current() {
    let theirs = programs("../tests/refused");
    if env::var("TRYBUILD").is_ok_and(|mode| mode == "overwrite") {
        for (name, text) in &theirs {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/refused/{name}.rs"));
            fs::write(file, text.replace("dstd::", "std::")).unwrap();
        }
    }
    let renamed = theirs.into_iter().map(|(name, text)| (name, text.replace("dstd::", "std::")));
    assert!(renamed.eq(programs("tests/refused")), "TRYBUILD=overwrite makes these programs again");
}

#[test]
fn what_std_refuses_is_refused() {
    are_current();
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}

/// The first lines of errors: what is wrong, without where.
fn errors(words: &str) -> Vec<&str> {
    words.lines().filter(|line| line.starts_with("error[")).collect()
}

#[test]
fn std_says_the_same() {
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let names: Vec<String> =
        programs("tests/refused").into_keys().filter(|name| !name.starts_with(OURS)).collect();
    assert!(names.len() >= 19, "{names:?}");
    for name in names {
        let case = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/refused/{name}"));
        let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition=2024", "--emit=metadata", "--out-dir"]).arg(&out);
        let real = rustc.arg(case.with_extension("rs")).output().unwrap();
        let real = String::from_utf8(real.stderr).unwrap();
        // The compiler calls a crate by the name that it was built with.
        let ours = fs::read_to_string(case.with_extension("stderr")).unwrap().replace("dstd_std::", "std::");
        assert!(!errors(&real).is_empty(), "{name}: std has nothing against it: {real}");
        assert_eq!(errors(&real), errors(&ours), "{name}");
    }
}
