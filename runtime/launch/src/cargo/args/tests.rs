//! Command lines of `cargo dstd`.

use super::*;
use crate::everyday::{Readers, Style};

fn read(line: &str) -> Result<What, i32> {
    let words = std::iter::once("cargo-dstd").chain(line.split(' ')).map(OsString::from);
    parse(words).map_err(|error| if error.use_stderr() { 64 } else { 0 })
}

fn run(line: &str) -> RunCommand {
    match read(line) {
        Ok(What::Run(run)) => *run,
        other => panic!("{line}: {other:?}"),
    }
}

fn test(line: &str) -> TestCommand {
    match read(line) {
        Ok(What::Test(test)) => *test,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn run_takes_the_options_of_cargo_and_of_the_launcher() {
    let all = run("run -n 3 -p word_count --bin word_count -F a,b --locked -- FILE --top 5");
    assert_eq!(all.cargo.package, ["word_count"]);
    assert_eq!(all.args, ["FILE", "--top", "5"]);
    assert_eq!(all.build_args(), ["--release", "--features", "a,b", "--locked"]);
    let more = run("run --output json --log-dir logs --stdin 0 --dry-run").launch.everyday;
    assert_eq!((more.output, more.stdin, more.dry_run), (Style::Json, Readers::Node0, true));
    assert_eq!(more.log_dir.as_deref(), Some(std::path::Path::new("logs")));
    assert_eq!(run("run --dev").build_args(), [""; 0]);
    assert_eq!(run("run --profile fast").build_args(), ["--profile", "fast"]);
    assert_eq!(run("run --convert a,b@1.2 --convert c").cargo.convert, ["a", "b@1.2", "c"]);
}

fn joined(words: Vec<OsString>) -> String {
    words.join(" ".as_ref()).into_string().unwrap()
}

fn build(line: &str) -> String {
    match read(line) {
        Ok(What::Build(build)) => joined(build.build_args()),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn what_is_not_known_here_is_for_cargo() {
    for (line, words) in [
        ("build --dev -p p --example e", "--package p --example e"),
        ("build --dev -p a --package=b -pc", "--package a --package b --package c"),
        ("build --bins --bin a --bin b --dev", "--bins --bin a --bin b"),
        (
            "build --dev --all --exclude a -Z unstable -Zmore -vv -q",
            "--workspace --exclude a -Z unstable -Zmore -vv -q",
        ),
        ("build --dev --config a=1 --config b=2 --keep-going", "--config a=1 --config b=2 --keep-going"),
        ("build --color always --dev -F a", "--features a --color always"),
        ("build --dev --no-such=x -j 2", "--jobs 2 --no-such=x"),
    ] {
        assert_eq!(build(line), words, "{line}");
    }
    for (line, words) in [
        ("test -p a -p b", "--package a --package b"),
        ("test --tests --bin a -n 3 --no-run name", "--tests --bin a --no-run name"),
        ("test --all-targets -q --release -- --tests", "--release --quiet --all-targets"),
        ("test name --lib", "--lib name"),
        ("test --hot-pages name", "name"),
    ] {
        assert_eq!(joined(test(line).test_args()), words, "{line}");
    }
    assert_eq!(joined(run("run --dev --color never -n 2 -- --color x").build_args()), "--color never");
    assert_eq!(run("run --color never -- --color x").args, ["--color", "x"]);
    let What::Build(loud) = read("build --message-format short --dev").unwrap() else { panic!("no build") };
    assert_eq!(joined(loud.message_args().collect()), "--message-format short");
}

#[test]
fn test_passes_on_what_was_typed_for_the_launcher() {
    let all =
        test("test -n 3 --no-direct -vv -x A=b --env C --hot-pages=7 --release --test t name -- --exact");
    assert_eq!(
        all.launch_words,
        ["--np=3", "--no-direct", "--env=A=b", "--env=C", "--hot-pages=7", "--verbose", "--verbose"]
    );
    assert_eq!(all.test_args(), ["--release", "--test", "t", "name"]);
    assert_eq!(all.program_args(), ["--exact"]);
    assert!(test("test").launch_words.is_empty());
}

#[test]
fn what_is_not_right_is_a_usage_error() {
    for line in [
        "",
        "bild",
        "new",
        "new a b",
        "new a --facade core",
        "check --message-format loud",
        "check --workspace -p a",
        "swap here",
        "run --dev --release",
        "run --bin a --example b",
        "run prog",
        "test a b",
        "build prog",
        "build -p a --workspace",
        "test -nx",
    ] {
        assert_eq!(read(line).err(), Some(64), "{line}");
    }
    for line in ["--help", "new --help", "check --help", "swap --help", "build -h", "run --help", "test -h"] {
        assert_eq!(read(line).err(), Some(0), "{line}");
    }
}
