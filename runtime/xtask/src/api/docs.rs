//! Documentation as data: what rustdoc writes with `--output-format json`.
//!
//! The format is unstable, so rustdoc is told to take unstable options; what it reads is the stable toolchain's own
//! library (the component `rust-src`), against the compiled crates of the same toolchain.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cargo::{self, passes};
use crate::tree;
use crate::verdict::{Verdict, cannot, while_doing};

/// The toolchain whose paths count: `rust-version` of the workspace.
const TOOLCHAIN: &str = "1.95.0";
/// Crates of the library, with those that they are built from.
const CRATES: [(&str, &[&str]); 3] = [
    ("core", &[]),
    ("alloc", &["core"]),
    (
        "std",
        &[
            "alloc",
            "core",
            "hashbrown",
            "cfg_if",
            "libc",
            "addr2line",
            "object",
            "miniz_oxide",
            "rustc_demangle",
            "unwind",
            "panic_unwind",
            "panic_abort",
            "std_detect",
        ],
    ),
];

/// One crate.
pub(super) struct Docs {
    /// Its items, by number.
    pub(super) index: Value,
    /// The number of its root.
    pub(super) root: String,
    /// Where items that are named here are defined: crate, path, kind.
    pub(super) paths: Value,
    /// The numbers of its own items by path and kind.
    pub(super) defined: BTreeMap<(String, String), String>,
}

impl Docs {
    fn read(file: &Path) -> Verdict<Docs> {
        let doing = || while_doing(format!("read {}", file.display()));
        let bytes = fs::read(file).map_err(doing())?;
        let mut all: Value = serde_json::from_slice(&bytes).map_err(|error| doing()(error.into()))?;
        let root = all["root"].to_string();
        let (index, paths) = (all["index"].take(), all["paths"].take());
        let own = |entry: &Value| entry["crate_id"] == 0;
        let defined = paths.as_object().into_iter().flatten().filter(|(_, entry)| own(entry));
        let defined = defined.map(|(id, entry)| (key(entry), id.clone())).collect();
        Ok(Docs { index, root, paths, defined })
    }

    /// An item that is documented here.
    pub(super) fn item(&self, id: &str) -> Option<&Value> {
        self.index.get(id)
    }
}

/// Path and kind of an entry of `paths`.
pub(super) fn key(entry: &Value) -> (String, String) {
    let words = entry["path"].as_array().into_iter().flatten().filter_map(Value::as_str);
    (words.collect::<Vec<_>>().join("::"), entry["kind"].as_str().unwrap_or_default().to_owned())
}

/// The documentation of core, alloc and std.
pub(super) fn of_std() -> Verdict<BTreeMap<String, Docs>> {
    let out = tree::target("api")?;
    let rustdoc = || {
        let mut command = Command::new("rustup");
        command.args(["run", TOOLCHAIN, "rustdoc"]).env("RUSTC_BOOTSTRAP", "1").env("STD_ENV_ARCH", "x86_64");
        command
    };
    let mut all = BTreeMap::new();
    for (name, needs) in CRATES {
        let source = library()?.join(name).join("src/lib.rs");
        let mut command = rustdoc();
        command.arg(source).args(["--crate-name", name, "--crate-type=lib", "--edition=2024"]);
        command.args([
            "-Zunstable-options",
            "--output-format=json",
            "-Zforce-unstable-if-unmarked",
            "--document-hidden-items",
        ]);
        command.args(["--cap-lints=allow", "--cfg=backtrace_in_libstd", "--cfg=feature=\"backtrace\""]);
        command.args(needs.iter().flat_map(|need| ["--extern", need]));
        passes(command.arg("--out-dir").arg(&out))?;
        all.insert(name.to_owned(), Docs::read(&out.join(format!("{name}.json")))?);
    }
    Ok(all)
}

/// The library's sources.
fn library() -> Verdict<PathBuf> {
    let mut command = Command::new("rustup");
    command.args(["run", TOOLCHAIN, "rustc", "--print=sysroot"]);
    let output = command.output().map_err(while_doing(format!("{command:?}")))?;
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let library = PathBuf::from(sysroot).join("lib/rustlib/src/rust/library");
    if library.is_dir() {
        return Ok(library);
    }
    cannot(format!("std's sources are not there: rustup component add rust-src --toolchain {TOOLCHAIN}"))
}

/// The documentation of the runtime, where what dstd defines itself is.
pub(super) fn of_runtime() -> Verdict<Docs> {
    let out = tree::target("api")?;
    let mut command = cargo::cargo(&["rustdoc", "--quiet", "-p", "dstd-runtime", "--target-dir"]);
    command.arg(&out).args(["--", "-Zunstable-options", "--output-format=json"]).env("RUSTC_BOOTSTRAP", "1");
    passes(&mut command)?;
    Docs::read(&out.join("doc/dstd_runtime.json"))
}
