//! Addresses in a program as functions and lines.
//!
//! Lines need debug information (`debug = "line-tables-only"` in the profile is enough), names of functions need
//! symbols, which every build has that is not stripped.

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

impl Place {
    /// Whether it is a known line outside std.
    pub(crate) fn is_the_programs(&self) -> bool {
        self.line.is_some() && self.file.as_deref().is_some_and(|file| !is_stds(file))
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

    /// What `address` of the file is. Of a function that was inlined the outer ones are known too: the innermost
    /// that is not std's is the one a person looks for.
    pub(crate) fn find(&self, address: u64) -> Place {
        let Some(loader) = &self.0 else { return Place::default() };
        let mut found: Option<Place> = None;
        if let Ok(mut frames) = loader.find_frames(address) {
            while let Ok(Some(frame)) = frames.next() {
                let place = place(&frame);
                if place.is_the_programs() {
                    return place;
                }
                found = found.or(Some(place));
            }
        }
        let symbol = || {
            let name = loader.find_symbol(address)?;
            let function = Some(addr2line::demangle_auto(name.into(), None).into_owned());
            Some(Place { function, ..Place::default() })
        };
        found.filter(|place| place.function.is_some()).or_else(symbol).unwrap_or_default()
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
    file.starts_with("/rustc/") || file.contains("/lib/rustlib/src/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_of_this_program_is_found_with_its_file() {
        let symbols = Symbols::of(&std::env::current_exe().unwrap());
        // Where the first byte of this test's function lies in the file: found by its name.
        let start = is_stds as *const () as usize as u64;
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let bias = maps.lines().next().and_then(|line| u64::from_str_radix(line.split('-').next()?, 16).ok());
        let place = symbols.find(start - bias.unwrap());
        assert!(place.function.unwrap().contains("is_stds"));
        assert!(place.file.unwrap().ends_with("symbols.rs"));
    }

    #[test]
    fn what_is_not_there_is_not_known() {
        assert_eq!(Symbols::none().find(0x1234), Place::default());
        assert_eq!(Symbols::of(Path::new("/nonexistent")).find(0x1234), Place::default());
    }

    #[test]
    fn std_is_told_from_programs() {
        assert!(is_stds("/rustc/abc/library/core/src/sync/atomic.rs"));
        assert!(is_stds("/root/.rustup/toolchains/stable/lib/rustlib/src/rust/library/std/src/lib.rs"));
        assert!(!is_stds("/home/u/program/src/main.rs"));
    }
}
