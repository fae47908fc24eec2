//! Address and thread sanitizers on what shares memory between threads, in one process.

use std::process::Command;
use std::time::Instant;

use crate::row::Row;
use crate::verdict::Verdict;
use crate::{canary, cargo, nightly, tree};

/// The heap over plain memory, the lock-free parts, and links of shared memory. The fixed ranges of a program's
/// memory are those that the sanitizers keep their shadows in, so what needs them is not here.
const TESTS: [&[&str]; 2] = [
    &["-p", "dstd-heap", "-p", "dstd-loom", "--lib", "--test", "heap", "--test", "models"],
    &["-p", "dstd-transport", "--lib", "shm::"],
];
/// The test that makes mistakes.
const CANARY: &[&str] = &["-p", "dstd-heap", "--test", "heap", "broken"];

/// Runs the tests with each sanitizer; std is built with it too, so that its atomics are seen.
pub(crate) fn run(rows: &mut Vec<Row>) -> Verdict {
    for (sanitizer, mistake, words) in [
        ("address", "beyond", "AddressSanitizer: heap-buffer-overflow"),
        ("thread", "race", "ThreadSanitizer: data race"),
    ] {
        let start = Instant::now();
        canary::notices(sanitized(sanitizer, CANARY)?.env(canary::VARIABLE, mistake), mistake, words)?;
        for tests in TESTS {
            cargo::tests_pass(&mut sanitized(sanitizer, tests)?)?;
        }
        println!("{sanitizer} sanitizer: nothing found");
        let name = format!("sanitize.{sanitizer}.time");
        rows.push(Row::new(&name, start.elapsed().as_secs_f64(), "s", "cargo xtask sanitize"));
    }
    Ok(())
}

fn sanitized(sanitizer: &str, tests: &[&str]) -> Verdict<Command> {
    let host = nightly::host()?;
    let words = [&["test", "--release", "-Zbuild-std", "--target", &host], tests].concat();
    let mut command = nightly::cargo("rust-src", &words)?;
    command
        .env("RUSTFLAGS", format!("-Zsanitizer={sanitizer} -Cdebug-assertions"))
        .env("CARGO_TARGET_DIR", tree::target(sanitizer)?)
        // A heap lives as long as its process.
        .env("ASAN_OPTIONS", "detect_leaks=0");
    Ok(command)
}
