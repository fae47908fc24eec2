//! Hands every program that links the runtime a linker script that puts the statics the nodes
//! share on pages of their own (see `link/script.rs`).
//!
//! The script travels as a library: `-ldstd_ld` finds `libdstd_ld.so` in the build directory, and lld
//! reads a text file in that place as a linker script. Without the script a program links as
//! well; it then has no shared statics and refuses to start on several nodes.

#[path = "link/rlib.rs"]
mod rlib;
#[path = "link/script.rs"]
mod script;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The crates of the runtime. The crates that these use have no writable statics; a test of the module
/// `statics` fails when one comes in that has.
const RUNTIME_CRATES: [&str; 6] =
    ["dstd_addr", "dstd_control", "dstd_heap", "dstd_protocol", "dstd_runtime", "dstd_transport"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=link");
    println!("cargo::rerun-if-env-changed=RUSTC");
    println!("cargo::rustc-check-cfg=cfg(one_node)");
    if !clusters_run_there() {
        println!("cargo::rustc-cfg=one_node");
        return;
    }
    if let Some(linker) = linker_without_scripts() {
        println!(
            "cargo::warning=the linker {linker} cannot gather the statics that nodes share: \
             the program will run on one node only; link it with rust-lld, the default"
        );
        return;
    }

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let libdir = target_libdir();
    let toolchain_files = rlibs(&libdir);
    let toolchain_sections = sections(&libdir, &toolchain_files);
    let text = script::script(&script::Parts {
        toolchain_sections: &toolchain_sections,
        toolchain_files: &toolchain_files,
        runtime_crates: &RUNTIME_CRATES,
    });
    let write = |name: &str, text: &str| {
        fs::write(out.join(name), text).expect("OUT_DIR can be written to");
    };
    write("dstd_statics.ld", &text);
    write("libdstd_ld.so", &script::entry("dstd_statics.ld"));
    // What GNU ld finds after it has passed over the entry.
    write("libdstd_ld.a", "!<arch>\n");

    println!("cargo::rustc-link-search=native={}", out.display());
    println!("cargo::rustc-link-lib=dylib=dstd_ld");
}

/// Whether programs for the target can have several nodes.
fn clusters_run_there() -> bool {
    let is = |name: &str, value: &str| env::var(name).as_deref() == Ok(value);
    is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ARCH", "x86_64")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
}

/// The linker that the build's flags name, when it is one that takes neither the script nor what
/// GNU ld takes in its place.
fn linker_without_scripts() -> Option<&'static str> {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let linker = env::var("RUSTC_LINKER").unwrap_or_default();
    ["mold", "gold", "wild"]
        .into_iter()
        .find(|name| flags.contains(&format!("fuse-ld={name}")) || linker.ends_with(name))
}

/// The directory with the toolchain's own crates for the target.
fn target_libdir() -> PathBuf {
    let rustc = env::var_os("RUSTC").expect("cargo sets RUSTC");
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", &target])
        .output()
        .expect("the compiler that cargo names can be run");
    assert!(output.status.success(), "rustc does not tell where its libraries lie");
    PathBuf::from(String::from_utf8(output.stdout).expect("the path of the toolchain is UTF-8").trim_end())
}

/// File names of the toolchain's crates. They carry hashes, so that a program's own crate of the
/// same name is not meant.
fn rlibs(libdir: &Path) -> Vec<String> {
    let entries = fs::read_dir(libdir).expect("the toolchain has its libraries where it says");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("the toolchain's libraries can be listed").file_name())
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.ends_with(".rlib"))
        .collect();
    names.sort();
    names
}

/// Names of the sections of writable statics in the toolchain's crates.
fn sections(libdir: &Path, rlibs: &[String]) -> Vec<String> {
    let mut names = BTreeSet::new();
    for rlib in rlibs {
        let archive = fs::read(libdir.join(rlib)).expect("the toolchain's libraries can be read");
        rlib::writable_sections(&archive, &mut names);
    }
    assert!(!names.is_empty(), "no statics in the libraries of {}", libdir.display());
    names.into_iter().collect()
}
