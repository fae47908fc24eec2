//! Which statics the nodes of a program share: its own, and none that runtime threads use (ISO-1).

use crate::row::Row;
use crate::symbols::{self, Symbol};
use crate::verdict::{Verdict, cannot, fail};
use crate::{cargo, tree};

const SHARED: &[&str] = &[".dstd_data", ".dstd_bss", ".dstd_tls"];
/// Crates that every program has and that each node has for itself.
const TOOLCHAIN: &[&str] = &["std", "core", "alloc", "panic_unwind", "std_detect", "addr2line", "gimli"];
/// Statics of the toolchain that the nodes share on purpose.
const SHARED_OF_TOOLCHAIN: &[&str] = &["stdio::STDOUT", "stdin::INSTANCE", "STATIC_INNER_SLICE"];
/// Statics that must be shared: without them the check would say nothing.
const PROGRAMS_OWN: &[&str] = &[
    "scenarios::statics::IN_DATA",
    "scenarios::statics::IN_BSS",
    "scenarios::statics::BYTES",
    "third::FROM_SEVEN",
    "third::FROM_ZERO",
    "third::add::SUM",
];
/// Thread-locals that must be lent, by the start of their names.
const PROGRAMS_LENT: &[&str] =
    &["scenarios::lent::COUNTER", "parking_lot_core::parking_lot::with_thread_data"];

/// Checks the build script and a release build of the scenarios.
pub(crate) fn run(rows: &mut Vec<Row>) -> Verdict {
    let closure = cargo::closure("dstd-runtime")?;
    check_build_script(&closure)?;
    let program = cargo::build_release(&["compat-tests"])?.join("scenarios");
    let symbols = symbols::of(&program)?;
    if symbols.is_empty() {
        return cannot(format!("{} has no symbols", program.display()));
    }
    let shared: Vec<&Symbol> =
        symbols.iter().filter(|symbol| SHARED.contains(&symbol.section.as_str())).collect();
    let mut wrong = missing(&shared);
    wrong.extend(strangers(&shared, &closure));
    wrong.extend(used_by_both(&symbols, &closure));
    rows.push(Row::new("shared statics", shared.len() as f64, "symbols", "cargo xtask statics"));
    rows.push(Row::new("crates of the runtime", closure.len() as f64, "crates", "cargo xtask statics"));
    if wrong.is_empty() { Ok(()) } else { fail(wrong.join("\n")) }
}

/// The linker script leaves out our crates by the names in the build script: it must name all.
fn check_build_script(closure: &[String]) -> Verdict {
    let file = tree::root().join("runtime/build.rs");
    let text = tree::read(&file)?;
    let ours = closure.iter().filter(|name| name.starts_with("dstd_"));
    let missing: Vec<&str> =
        ours.map(String::as_str).filter(|name| !text.contains(&format!("\"{name}\""))).collect();
    if missing.is_empty() {
        return Ok(());
    }
    fail(format!("{} must name all crates of the runtime, also {}", tree::name(&file), missing.join(", ")))
}

fn missing(shared: &[&Symbol]) -> Vec<String> {
    let is_shared = |name: &str| shared.iter().any(|symbol| symbol.name.split('[').next() == Some(name));
    let missing = PROGRAMS_OWN.iter().filter(|name| !is_shared(name));
    let is_lent = |name: &str| {
        shared.iter().any(|symbol| symbol.section == ".dstd_tls" && symbol.name.starts_with(name))
    };
    let not_lent = PROGRAMS_LENT.iter().filter(|name| !is_lent(name));
    missing.chain(not_lent).map(|name| format!("{name} is not shared")).collect()
}

/// Shared statics of crates whose statics are each node's own.
fn strangers(shared: &[&Symbol], closure: &[String]) -> Vec<String> {
    let private = |name: &str| closure.iter().any(|private| private == name) || TOOLCHAIN.contains(&name);
    let wanted = |symbol: &Symbol| SHARED_OF_TOOLCHAIN.iter().any(|name| symbol.name.contains(name));
    let strangers = shared.iter().filter(|symbol| private(symbol.crate_name()) && !wanted(symbol));
    strangers
        .map(|symbol| format!("{} of the runtime is shared, in {}", symbol.name, symbol.section))
        .collect()
}

/// Writable statics of crates that are not ours but that the runtime uses: a program that uses the same crate would
/// not share them.
fn used_by_both(symbols: &[Symbol], closure: &[String]) -> Vec<String> {
    let foreign = |name: &str| !name.starts_with("dstd_") && closure.iter().any(|private| private == name);
    let writable = |section: &str| {
        [
            ".data",
            ".bss",
            ".dstd_own_data",
            ".dstd_own_bss",
            ".tdata",
            ".tbss",
            ".dstd_own_tdata",
            ".dstd_own_tbss",
            ".dstd_tls",
        ]
        .contains(&section)
    };
    let found = symbols.iter().filter(|symbol| foreign(symbol.crate_name()) && writable(&symbol.section));
    found.map(|symbol| format!("{} is a static of a crate that programs may use, too", symbol.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str, section: &str) -> Symbol {
        Symbol { name: name.to_owned(), section: section.to_owned() }
    }

    #[test]
    fn what_should_not_be_shared_is_found() {
        let closure = ["dstd_runtime".to_owned(), "libc".to_owned()];
        let symbols = [
            symbol("dstd_runtime::context::ME", ".dstd_bss"),
            symbol("std::io::stdio::STDOUT", ".dstd_data"),
            symbol("std::panicking::HOOK", ".dstd_data"),
            symbol("std::thread::current::ID", ".dstd_tls"),
            symbol("third::FROM_ZERO", ".dstd_bss"),
            symbol("libc::CACHE", ".bss"),
        ];
        let shared: Vec<&Symbol> = symbols[..5].iter().collect();
        assert_eq!(strangers(&shared, &closure).len(), 3);
        assert_eq!(used_by_both(&symbols, &closure).len(), 1);
        assert_eq!(missing(&shared).len(), PROGRAMS_OWN.len() - 1 + PROGRAMS_LENT.len());
    }
}
