//! Addresses in a program as functions, lines and statics.
//!
//! Lines need debug information (`debug = "line-tables-only"` in the profile is enough), names of functions and statics
//! need symbols, which every build has that is not stripped.

use std::path::Path;

use addr2line::{Frame, Loader};
use serde::Serialize;

/// Where an instruction is in the source, as far as it is known.
#[derive(Serialize, Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) function: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
}

/// Whose place it is; what a person looks for comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Whose {
    /// A known line of the program's own crates.
    Program,
    /// A known line of a crate that it uses.
    Crate,
    /// A function of either, without a line.
    Named,
    /// std's, dstd's, a C library's, or nobody knows.
    Other,
}

impl Place {
    pub(crate) fn whose(&self) -> Whose {
        let function = self.function.as_deref().unwrap_or_default();
        match (&self.file, self.line) {
            _ if is_below(function) => Whose::Other,
            (Some(file), _) if is_stds(file) => Whose::Other,
            (Some(file), Some(_)) if is_a_crates(file) => Whose::Crate,
            (Some(_), Some(_)) => Whose::Program,
            _ if function.contains("::") => Whose::Named,
            _ => Whose::Other,
        }
    }

    /// Whether its file lies below `dir`, if there is one: names of closures and of what is inlined may have no crate.
    pub(crate) fn is_below(&self, dir: Option<&str>) -> bool {
        let file = self.file.as_deref();
        dir.is_some_and(|dir| file.is_some_and(|file| file.starts_with(dir)))
    }
}

/// What a program's file says about its code.
pub(crate) struct Symbols(Option<Loader>);

impl Symbols {
    /// Knows nothing.
    pub(crate) fn none() -> Symbols {
        Symbols(None)
    }

    /// Knows what `program` says, or nothing where it cannot be read.
    pub(crate) fn of(program: &Path) -> Symbols {
        Symbols(Loader::new(program).ok())
    }

    /// Where the runtime's files lie, by a trace: the first of its return addresses is in the runtime's notes of allocations.
    pub(crate) fn runtime_dir(&self, trace: &[u64]) -> Option<String> {
        let noted = self.places(trace.first()?.saturating_sub(1)).into_iter().next()?;
        noted.file?.strip_suffix(NOTES).map(str::to_owned)
    }

    /// What `address` of the file is. Of a function that was inlined the outer ones are known too: the innermost
    /// that is neither std's nor below `runtime` is the one a person looks for.
    pub(crate) fn find(&self, address: u64, runtime: Option<&str>) -> Place {
        let places = self.places(address);
        let is_wanted = |place: &&Place| place.whose() <= Whose::Crate && !place.is_below(runtime);
        places.iter().find(is_wanted).or(places.first()).cloned().unwrap_or_default()
    }

    /// The call that a person looks for among `calls`, return addresses from the innermost outwards, outside std and the files
    /// below `runtime`: the nearest of the program's own, or else of a crate that it uses.
    pub(crate) fn find_call(&self, calls: &[u64], runtime: Option<&str>) -> Option<Place> {
        // A call ends before the address to which it returns.
        let places = calls.iter().flat_map(|call| self.places(call.saturating_sub(1)));
        let places = places.filter(|place| place.whose() < Whose::Other && !place.is_below(runtime));
        places.min_by_key(Place::whose)
    }

    /// What to do so that functions and lines are known, when they are not.
    pub(crate) fn advice(&self) -> &'static str {
        let Some(loader) = &self.0 else {
            return "functions and lines are not known: the program's file cannot be read here";
        };
        if loader.get_section_range(b".symtab").is_some() {
            "lines are not known: set debug = \"line-tables-only\" in the program's profile \
             ([profile.release] in its Cargo.toml)"
        } else {
            "functions and lines are not known, for the program is stripped: set strip = \"none\" and \
             debug = \"line-tables-only\" in its profile ([profile.release] in its Cargo.toml)"
        }
    }

    /// What `address` of the file is: a function that was inlined there first, the one it was inlined into last.
    fn places(&self, address: u64) -> Vec<Place> {
        let mut places = Vec::new();
        if let Some(loader) = &self.0
            && let Ok(mut frames) = loader.find_frames(address)
        {
            while let Ok(Some(frame)) = frames.next() {
                places.push(place(&frame));
            }
        }
        // Line tables alone have names without a path, and a stripped program has none.
        let symbol = self.symbol(address).map(|(name, _)| name);
        match places.last_mut() {
            Some(outermost) => outermost.function = symbol.or(outermost.function.take()),
            None => places.push(Place { function: symbol, ..Place::default() }),
        }
        places
    }

    /// Name and start of the function or static that the byte at `address` of the file belongs to.
    pub(crate) fn symbol(&self, address: u64) -> Option<(String, u64)> {
        let symbol = self.0.as_ref()?.find_symbol_info(address)?;
        Some((addr2line::demangle_auto(symbol.name().into(), None).into_owned(), symbol.address()))
    }
}

fn place<R: addr2line::gimli::Reader>(frame: &Frame<'_, R>) -> Place {
    let name = frame.function.as_ref().and_then(|name| name.demangle().ok().map(|name| name.into_owned()));
    let location = frame.location.as_ref();
    Place {
        function: name,
        file: location.and_then(|location| location.file).map(str::to_owned),
        line: location.and_then(|location| location.line),
    }
}

/// Whether std, as it comes with the toolchain, has this file.
fn is_stds(file: &str) -> bool {
    ["/rustc/", "/rust/deps/"].iter().any(|start| file.starts_with(start))
        || file.contains("/lib/rustlib/src/")
}

/// Whether a crate that was downloaded has it.
fn is_a_crates(file: &str) -> bool {
    file.contains("/registry/src/") || file.contains("/git/checkouts/")
}

/// The runtime's file from which the first call of every trace is made.
const NOTES: &str = "alloc/traces/mod.rs";
/// Crates below the program.
const BELOW: [&str; 10] = [
    "std",
    "core",
    "alloc",
    "hashbrown",
    "dstd",
    "dstd_runtime",
    "dstd_heap",
    "dstd_sync",
    "dstd_collections",
    "__rustc",
];
/// Functions of dstd with C's names.
const BELOW_IN_C: [&str; 8] =
    ["malloc", "calloc", "realloc", "reallocarray", "memalign", "aligned_alloc", "posix_memalign", "valloc"];

/// Whether a function is std's or dstd's: by the crate of its path, or that of the type or trait it belongs to.
fn is_below(function: &str) -> bool {
    let crate_of = |path: &str| {
        let path = path.trim_start_matches(['<', '&', '[', '(', '*']);
        let path = ["mut ", "dyn ", "impl "].iter().fold(path, |path, word| path.trim_start_matches(word));
        Some(path.split_once("::")?.0.to_owned()).filter(|name| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })
    };
    let own = crate_of(function).or_else(|| crate_of(function.split_once(" as ")?.1));
    let is_known = |name: String| BELOW.contains(&name.split('[').next().unwrap_or_default());
    own.is_some_and(is_known) || BELOW_IN_C.contains(&function) || function.starts_with("__rust")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is to be subtracted from addresses of this program.
    fn bias() -> u64 {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let bias = maps.lines().next().and_then(|line| u64::from_str_radix(line.split('-').next()?, 16).ok());
        bias.unwrap()
    }

    #[test]
    fn a_function_of_this_program_is_found_with_its_file() {
        let symbols = Symbols::of(&std::env::current_exe().unwrap());
        let start = is_stds as *const () as usize as u64;
        let place = symbols.find(start - bias(), None);
        assert!(place.function.clone().unwrap().contains("is_stds"));
        assert!(place.file.clone().unwrap().ends_with("symbols.rs"));
        assert_eq!(place.whose(), Whose::Program);
        let file = place.file.as_deref();
        assert!(place.is_below(file.and_then(|file| file.strip_suffix("symbols.rs"))));
        assert!(!place.is_below(Some("/elsewhere/")) && !place.is_below(None));
        assert!(symbols.advice().starts_with("lines are not known"), "it has symbols");
    }

    #[test]
    fn a_static_of_this_program_is_found_from_its_middle() {
        static NUMBERS: [std::sync::atomic::AtomicU64; 7] =
            [const { std::sync::atomic::AtomicU64::new(1) }; 7];
        let symbols = Symbols::of(&std::env::current_exe().unwrap());
        let start = NUMBERS.as_ptr() as u64 - bias();
        let (name, found) = symbols.symbol(start + 50).unwrap();
        assert!(name.contains("NUMBERS"), "{name}");
        assert_eq!(found, start);
    }

    #[test]
    fn what_is_not_there_is_not_known() {
        for symbols in [Symbols::none(), Symbols::of(Path::new("/nonexistent"))] {
            assert_eq!(symbols.find(0x1234, None), Place::default());
            assert_eq!(symbols.symbol(0x1234), None);
            assert!(symbols.advice().contains("cannot be read"));
        }
    }

    fn at(function: &str, file: Option<&str>) -> Whose {
        let place = Place {
            function: Some(function.to_owned()),
            file: file.map(str::to_owned),
            line: file.map(|_| 7),
        };
        place.whose()
    }

    #[test]
    fn std_and_dstd_are_told_from_programs_and_their_crates() {
        let own = Some("/home/u/program/src/main.rs");
        for (function, file, whose) in [
            ("count::main", own, Whose::Program),
            ("main", own, Whose::Program),
            ("<count::Left as core::ops::Drop>::drop", own, Whose::Program),
            ("<alloc::vec::Vec<count::Left>>::push", own, Whose::Other),
            (
                "core::sync::atomic::atomic_add",
                Some("/rustc/abc/library/core/src/sync/atomic.rs"),
                Whose::Other,
            ),
            (
                "x::y",
                Some("/home/u/.rustup/toolchains/stable/lib/rustlib/src/rust/library/std/a.rs"),
                Whose::Other,
            ),
            ("x::insert", Some("/rust/deps/hashbrown-0.16.0/src/raw.rs"), Whose::Other),
            ("hashbrown::raw::RawTable<T,A>::reserve_rehash", None, Whose::Other),
            (
                "<dstd_runtime::alloc::global::DstdAlloc as core::alloc::GlobalAlloc>::alloc",
                own,
                Whose::Other,
            ),
            ("<u64 as alloc::slice::hack::ConvertVec>::to_vec", None, Whose::Other),
            ("__rustc::__rust_alloc", None, Whose::Other),
            ("malloc", own, Whose::Other),
            (
                "serde_json::to_vec",
                Some("/home/u/.cargo/registry/src/index/serde_json-1/src/ser.rs"),
                Whose::Crate,
            ),
            ("serde_json::to_vec", None, Whose::Named),
            ("count::main", None, Whose::Named),
            ("_start", None, Whose::Other),
        ] {
            assert_eq!(at(function, file), whose, "{function} {file:?}");
        }
    }
}
