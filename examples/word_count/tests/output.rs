//! The whole program against a plain, sequential computation of what it must print. Also built for the
//! program against std.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The file belongs to two packages; each has one of the programs.
const PROGRAM: &str =
    match (option_env!("CARGO_BIN_EXE_word_count"), option_env!("CARGO_BIN_EXE_word_count_std")) {
        (Some(program), _) | (None, Some(program)) => program,
        (None, None) => panic!("the program is not built"),
    };

fn run(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).output().unwrap()
}

fn kjv() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = package.join("data/kjv.txt");
    if here.exists() { here } else { package.join("../data/kjv.txt") }
}

fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// The output for an ASCII text, by the definition.
fn expected(text: &str, top: usize) -> String {
    const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    let mut index: BTreeMap<String, (u64, BTreeSet<u32>)> = BTreeMap::new();
    for (number, line) in (1u32..).zip(text.lines()) {
        for word in line.split(|c: char| !c.is_ascii_alphabetic() && c != '\'') {
            let word = word.trim_matches('\'').to_ascii_lowercase();
            if !word.is_empty() {
                let entry = index.entry(word).or_default();
                entry.0 += 1;
                entry.1.insert(number);
            }
        }
    }
    let mut checksum = FNV_BASIS;
    for (word, (count, lines)) in &index {
        let lines = lines.iter().fold(FNV_BASIS, |hash, line| fnv(hash, &line.to_le_bytes()));
        checksum = fnv(fnv(fnv(checksum, word.as_bytes()), &count.to_le_bytes()), &lines.to_le_bytes());
    }
    let total: u64 = index.values().map(|entry| entry.0).sum();
    let mut words: Vec<_> = index.iter().map(|(word, entry)| (entry.0, word)).collect();
    words.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let top: String = words.iter().take(top).map(|(count, word)| format!("{count:10} {word}\n")).collect();
    format!("{top}{} distinct words, {total} in all\nindex checksum {checksum:016x}\n", index.len())
}

#[test]
fn the_output_is_the_definition_whatever_the_threads() {
    let file = kjv();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.is_ascii());
    let expected = expected(&text, 25);
    for threads in ["1", "5"] {
        let output = run(&[file.to_str().unwrap(), "--top", "25", "--threads", threads]);
        assert!(output.status.success());
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "with {threads} threads");
        let report = String::from_utf8(output.stderr).unwrap();
        assert!(report.contains("counted 100 %\n"), "{report}");
        assert!(report.contains("node 0: ") || report.contains("node 1: "), "{report}");
    }
}

#[test]
fn an_empty_file_has_no_words() {
    let file = std::env::temp_dir().join(format!("word_count-empty-{}", std::process::id()));
    std::fs::write(&file, "").unwrap();
    let output = run(&[file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected("", 10));
}

#[test]
fn what_goes_wrong_is_said_with_exit_code_2() {
    for (args, says) in [
        (&["no/such/file"][..], "cannot read no/such/file"),
        (&[], "usage: word_count FILE"),
        (&["a", "--top", "many"], "--top needs a number"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.starts_with("word_count: ") && message.contains(says), "{message}");
    }
}
