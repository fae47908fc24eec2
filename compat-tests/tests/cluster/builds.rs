//! Programs that were built so that they cannot share everything: refused, or run as they accept.
//!
//! Both are one source outside of the workspace, built here with a target directory of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::harness::{alone, program};

/// The program was refused.
const REFUSED: i32 = 72;

const MANIFEST: &str = r#"
[package]
name = "built"
version = "0.1.0"
edition = "2024"

[features]
global-alloc = ["dstd/global-alloc"]

[[bin]]
name = "gnu_ld"
path = "main.rs"
required-features = ["global-alloc"]

[[bin]]
name = "own_heap"
path = "main.rs"

[workspace]

[dependencies]
dstd = { default-features = false, path = "#;

const SOURCE: &str = r#"
use dstd::{place, thread};
use std::sync::atomic::{AtomicU32, Ordering};

thread_local! {
    static LENT: AtomicU32 = const { AtomicU32::new(0) };
}

/// A thread on the last node counts in main's thread-local.
fn lend() {
    let last = place::nodes().last().expect("there is a node");
    LENT.with(|lent| {
        place::on(last, || thread::scope(|scope| drop(scope.spawn(|| lent.fetch_add(1, Ordering::SeqCst)))));
        assert_eq!(lent.load(Ordering::SeqCst), 1);
    });
}

fn main() {
    if std::env::args().any(|word| word == "lend") {
        lend();
    }
    let nodes = place::nodes().len();
    let threads: Vec<_> = place::nodes().map(|node| place::spawn_on(node, move || node)).collect();
    for (thread, node) in threads.into_iter().zip(place::nodes()) {
        assert_eq!(thread.join().expect("it does not panic"), node);
    }
    println!("ok built {nodes} nodes");
}
"#;

/// Builds the program `name`; the words go to cargo.
fn build(name: &str, words: &[&str]) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("built");
    fs::create_dir_all(&directory).expect("cargo gives us a directory to write to");
    let manifest = format!("{MANIFEST}{:?} }}\n", root.join("dstd"));
    for (file, text) in [("Cargo.toml", manifest.as_str()), ("main.rs", SOURCE)] {
        fs::write(directory.join(file), text).expect("the directory is ours");
    }
    // The versions that the workspace has: nothing is downloaded.
    fs::copy(root.join("Cargo.lock"), directory.join("Cargo.lock")).expect("the workspace has a lock file");
    let target = directory.join("target");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["rustc", "--quiet", "--offline", "--bin", name]).args(["--target-dir".as_ref(), &*target]);
    let status = cargo.args(words).current_dir(&directory).status().expect("cargo is there");
    assert!(status.success(), "{cargo:?} fails");
    target.join("debug").join(name)
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_program_of_gnu_ld_runs_on_several_nodes_only_with_statics_of_its_own() {
    if !Command::new("ld.bfd").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("not tried: this machine has no ld.bfd");
        return;
    }
    let linker = ["--", "-Clink-arg=-fuse-ld=bfd", "-Clinker-features=-lld"];
    let built = build("gnu_ld", &[&["--features", "global-alloc"], &linker[..]].concat());
    alone(&built, NOTHING).finish().ok("built");
    let refused = program(2, &built, NOTHING).finish().with_code(REFUSED);
    assert_eq!(refused.says(&["statics", "rust-lld", "--private-statics"]).stdout, "");
    program(2, &built, NOTHING).option("--private-statics").finish().ok("built");
    alone(&built, ["lend"]).finish().ok("built");
    let stopped = program(2, &built, ["lend"]).option("--private-statics").finish().with_code(REFUSED);
    assert_eq!(stopped.says(&["thread-local", "without dstd's script"]).stdout, "");
}

#[test]
fn a_program_with_a_heap_of_its_own_runs_on_one_node() {
    let built = build("own_heap", &[]);
    alone(&built, NOTHING).finish().ok("built");
    let refused = program(2, &built, NOTHING).finish().with_code(REFUSED);
    assert_eq!(refused.says(&["global-alloc"]).stdout, "");
}
