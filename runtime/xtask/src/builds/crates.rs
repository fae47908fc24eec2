//! The crates that a package is built from.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cargo;
use crate::verdict::{Verdict, fail, while_doing};

/// A program with dstd is built from no more crates, itself included.
pub(super) const MOST: usize = 30;

/// Names and versions of all that the package in `directory` is built from here, itself included: what it links, and what
/// runs while it is built. What its tests need is not among them.
pub(super) fn of(directory: &Path) -> Verdict<Vec<String>> {
    let mut tree = cargo::cargo(&["tree", "--offline", "-e", "normal,build", "--prefix", "none"]);
    let output = tree.current_dir(directory).output().map_err(while_doing("cargo tree"))?;
    if !output.status.success() {
        return fail(format!("{tree:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(distinct(&String::from_utf8_lossy(&output.stdout)))
}

/// The crates in what `cargo tree` prints. A crate that was described already comes again with a mark behind it.
fn distinct(tree: &str) -> Vec<String> {
    let named = |line: &str| {
        let mut words = line.split(' ');
        Some(format!("{} {}", words.next().filter(|name| !name.is_empty())?, words.next()?))
    };
    tree.lines().filter_map(named).collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree;

    #[test]
    fn crates_are_counted_once() {
        let tree = "a v0.1.0 (/a)\nb v1.0.0 (proc-macro)\nc v2.0.0\nb v1.0.0 (proc-macro) (*)\nc v2.1.0\nc v2.0.0\n\n";
        assert_eq!(distinct(tree), ["a v0.1.0", "b v1.0.0", "c v2.0.0", "c v2.1.0"]);
    }

    /// A program adds itself.
    #[test]
    fn a_program_with_dstd_has_few_crates() {
        for facade in ["dstd", "dstd/std"] {
            let crates = of(&tree::root().join(facade)).expect("cargo tells");
            assert!(crates.iter().any(|name| name.starts_with("dstd-runtime ")), "{crates:?}");
            assert!(crates.len() < MOST, "{} for {facade}: {crates:?}", crates.len());
        }
    }
}
