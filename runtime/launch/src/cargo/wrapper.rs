//! What cargo starts in place of the compiler while crates are converted (`RUSTC_WRAPPER`).
//!
//! A converted crate is compiled with `--extern std=FACADE`: the compiler looks up `std` for its paths, its prelude
//! and its macros among what a crate is given, before it takes its own. Nothing else differs, and all other crates
//! are compiled as without this.
//!
//! cargo does not know of that need. The compiler leaves a file that says what a crate was made from; the facade's stamp
//! is added there, so that cargo compiles the crate again when there is another facade, and what needs the crate.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use dstd_control::exit;
use serde::{Deserialize, Serialize};

/// Carries an [`Order`] to the wrapper.
const ORDER: &str = "DSTD_CONVERT";
/// The wrapper that the user has (`sccache` and the like).
const NEXT: &str = "DSTD_CONVERT_NEXT";
/// What the wrapper says of a crate that waits for the facade.
pub(super) const WAITS: &str = "dstd: waits for the facade";

/// What is to be converted.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// Packages, by name and version.
    pub(crate) packages: Vec<(String, String)>,
    /// The library that is to be their std; none: they wait for it, and everything else is built.
    pub(crate) facade: Option<PathBuf>,
}

/// The file that changes when there is another facade.
fn stamp(facade: &Path) -> PathBuf {
    facade.with_file_name("dstd-facade")
}

/// Writes the stamp, unless the facade is the one that it was.
pub(super) fn mark(facade: &Path) -> io::Result<()> {
    let now = format!("{} {:?}", facade.display(), fs::metadata(facade)?.modified()?);
    let stamp = stamp(facade);
    if fs::read_to_string(&stamp).is_ok_and(|then| then == now) { Ok(()) } else { fs::write(stamp, now) }
}

impl Order {
    /// Lets a cargo command carry out the order.
    pub(crate) fn apply(&self, command: &mut Command) {
        let words = serde_json::to_string(self);
        let (Ok(this), Ok(words)) = (env::current_exe(), words) else { return };
        // Also an empty one, which says that there shall be none.
        if let Some(next) = env::var_os("RUSTC_WRAPPER").filter(|next| *next != this) {
            command.env(NEXT, next);
        }
        command.env("RUSTC_WRAPPER", this).env(ORDER, words);
    }
}

/// Test programs are not told, and have the wrapper that the user has.
pub(crate) fn forget() {
    if env::var_os(ORDER).is_none() {
        return;
    }
    let next = env::var_os(NEXT);
    for name in [ORDER, NEXT, "RUSTC_WRAPPER"] {
        // SAFETY: the process has one thread here: `main` has just been entered.
        unsafe { env::remove_var(name) };
    }
    if let Some(next) = next {
        // SAFETY: as above.
        unsafe { env::set_var("RUSTC_WRAPPER", next) };
    }
}

/// The wrapper that the user has set in the environment.
fn next() -> Option<OsString> {
    let next = env::var_os(NEXT).or_else(|| env::var_os("CARGO_BUILD_RUSTC_WRAPPER"));
    next.filter(|next| !next.is_empty())
}

/// Compiles, if this process was started in place of the compiler.
pub(crate) fn run(args: &[OsString]) -> Option<i32> {
    let order: Order = serde_json::from_str(&env::var(ORDER).ok()?).ok()?;
    let [_, compiler, rest @ ..] = args else { return None };
    Some(compile(&order, compiler, rest).unwrap_or_else(|words| {
        eprintln!("dstd: {words}");
        exit::INTERNAL
    }))
}

/// Compiles one crate; returns the compiler's status.
fn compile(order: &Order, compiler: &OsStr, args: &[OsString]) -> Result<i32, String> {
    let next = next();
    let first = next.as_deref().unwrap_or(compiler);
    let mut command = Command::new(first);
    command.args(next.is_some().then_some(compiler)).args(args);
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let package = (variable("CARGO_PKG_NAME"), variable("CARGO_PKG_VERSION"));
    let is_converted = order.packages.contains(&package) && is_for_the_program(args);
    let mut facade = None;
    if is_converted {
        let Some(library) = &order.facade else {
            eprintln!("{WAITS}");
            return Ok(1);
        };
        // At the end: what comes first may be another wrapper, and then the compiler.
        let mut std = OsString::from("std=");
        std.push(library);
        command.arg("--extern").arg(std);
        facade = Some(library);
    }
    let status = command.status().map_err(|error| format!("{}: {error}", first.display()))?;
    if let (true, Some(facade), Some(file)) = (status.success(), facade, made_from(args)) {
        let text = fs::read_to_string(&file).map(|text| and(&text, &stamp(facade)));
        text.and_then(|text| fs::write(&file, text))
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(status.code().unwrap_or(exit::INTERNAL))
}

/// What a crate was made from, and one file more: at the end of the first list.
fn and(made_from: &str, file: &Path) -> String {
    let file = file.to_string_lossy().replace(' ', "\\ ");
    let end = made_from
        .find(": ")
        .map(|list| made_from[list..].find('\n').map_or(made_from.len(), |end| list + end));
    let (list, rest) = made_from.split_at(end.unwrap_or(0));
    if list.is_empty() { made_from.to_owned() } else { format!("{list} {file}{rest}") }
}

/// The file in which the compiler says what a crate was made from.
fn made_from(args: &[OsString]) -> Option<PathBuf> {
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    let value = |name: &str| args.windows(2).find(|pair| pair[0] == name).map(|pair| &pair[1]);
    let emits = args.iter().map(text).any(|word| word.starts_with("--emit=") && word.contains("dep-info"));
    let extra = args.iter().map(text).find_map(|word| Some(word.strip_prefix("extra-filename=")?.to_owned()));
    let name = format!("{}{}.d", text(value("--crate-name")?), extra.unwrap_or_default());
    emits.then_some(Path::new(value("--out-dir")?).join(name))
}

/// Whether a compiler's arguments make code of the program: what runs while building (build scripts, macros and
/// what they need) is compiled without `--target`, as one is always named here.
fn is_for_the_program(args: &[OsString]) -> bool {
    let follows = |name: &str, wanted: &dyn Fn(&OsStr) -> bool| {
        args.windows(2).any(|pair| pair[0] == name && wanted(&pair[1]))
    };
    let is_crate = args.iter().any(|word| word == "--crate-name");
    let has_target = args.iter().any(|word| word == "--target");
    is_crate
        && has_target
        && !follows("--crate-type", &|kind| kind == "proc-macro")
        && !follows("--crate-name", &|name| name.to_string_lossy().starts_with("build_script_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_the_program_is_converted() {
        let is = |line: &str| is_for_the_program(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(is("--crate-name a --edition=2021 a.rs --crate-type lib --target x"));
        assert!(!is("--crate-name a --edition=2021 a.rs --crate-type lib"), "it runs while building");
        assert!(!is("--crate-name a a.rs --crate-type proc-macro --target x"));
        assert!(!is("--crate-name build_script_build build.rs --crate-type bin --target x"));
        assert!(!is("-vV"));
    }

    #[test]
    fn the_compilers_word_of_what_a_crate_is_made_from_is_found() {
        let of = |line: &str| made_from(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        let line = "--crate-name a a.rs --emit=dep-info,metadata,link -C metadata=1 -C extra-filename=-12 --out-dir /t";
        assert_eq!(of(line), Some("/t/a-12.d".into()));
        assert_eq!(of("--crate-name a a.rs --emit=link --out-dir /t"), None);
        let text = "/t/a-12.d: a.rs b.rs\n\n/t/liba.rlib: a.rs b.rs\n\na.rs:\n";
        let more = "/t/a-12.d: a.rs b.rs /x\\ y/s\n\n/t/liba.rlib: a.rs b.rs\n\na.rs:\n";
        assert_eq!(and(text, Path::new("/x y/s")), more);
        assert_eq!(and("", Path::new("/s")), "");
    }
}
