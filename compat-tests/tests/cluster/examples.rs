//! The example programs print the same wherever their threads run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::{SCENARIOS, Scratch, alone, program};

/// The directory of the examples, built like the scenarios.
pub(crate) fn examples() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let beside = Path::new(SCENARIOS).parent().expect("a program lies in a directory");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet"]);
        cargo.args(
            ["word_count", "word_count_std", "port_a_std_program"].iter().flat_map(|name| ["-p", name]),
        );
        cargo.arg("--target-dir");
        cargo.arg(beside.parent().expect("a profile lies in the target directory"));
        cargo.args((!cfg!(debug_assertions)).then_some("--release"));
        let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo is there");
        assert!(status.success(), "{cargo:?} fails");
        beside.to_owned()
    })
}

/// A file with a part of the text that the examples count.
pub(crate) fn some_text() -> (Scratch, PathBuf) {
    let scratch = Scratch::new();
    let text = scratch.file("text");
    let whole = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/word_count/data/kjv.txt");
    let whole = fs::read(whole).expect("the text is in the tree");
    fs::write(&text, &whole[..1 << 20]).expect("the directory is ours");
    (scratch, text)
}

#[test]
fn word_count_prints_the_same_on_all_numbers_of_nodes() {
    let (_scratch, text) = some_text();
    let arguments = [text.as_os_str(), "--top".as_ref(), "7".as_ref()];
    let std = alone(examples().join("word_count_std"), arguments).finish().with_code(0);
    assert!(std.stdout.lines().count() > 7);
    let word_count = examples().join("word_count");
    assert_eq!(alone(&word_count, arguments).finish().with_code(0).stdout, std.stdout);
    for nodes in [1, 2, 3] {
        let ended = program(nodes, &word_count, arguments).finish().with_code(0);
        assert_eq!(ended.stdout, std.stdout, "on {nodes} nodes");
    }
}

#[test]
fn an_unmodified_source_prints_the_same_on_all_numbers_of_nodes() {
    let nothing: [&str; 0] = [];
    let ported = examples().join("port_a_std_program");
    let one = alone(&ported, nothing).finish().with_code(0);
    assert!(!one.stdout.is_empty());
    for nodes in [2, 3] {
        assert_eq!(program(nodes, &ported, nothing).finish().with_code(0).stdout, one.stdout);
    }
}
