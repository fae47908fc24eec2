//! Std's own suites.

use super::examples;
use super::in_source;
use super::library::Library;
use crate::verdict::Verdict;

/// What a suite is about; a target holds for all suites of a group together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Group {
    /// Threads and what they share.
    Threads,
    /// Structures in memory.
    Memory,
    /// The examples of the documentation.
    Examples,
}

impl Group {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Group::Threads => "threads",
            Group::Memory => "memory",
            Group::Examples => "examples",
        }
    }

    /// The share of what real std passes that a facade has to pass on so many nodes.
    pub(crate) fn passed(self, nodes: u64) -> f64 {
        match self {
            Group::Threads if nodes > 1 => 0.98,
            Group::Examples if nodes > 1 => 0.97,
            Group::Threads | Group::Memory | Group::Examples => 0.99,
        }
    }

    /// The share that has to use the network. Many tests of threads start none, and many examples touch no heap.
    pub(crate) fn met(self, nodes: u64) -> Option<f64> {
        let share = match self {
            Group::Memory => 0.8,
            Group::Threads | Group::Examples => 0.5,
        };
        (nodes > 1).then_some(share)
    }
}

/// One of std's suites: a crate of test functions.
pub(crate) struct Suite {
    /// Its name in tables and for `--module`.
    pub(crate) name: &'static str,
    pub(crate) group: Group,
    from: From,
}

/// Where its files come from.
enum From {
    /// A file, or a directory's `lib.rs`, with directories beside it that it needs.
    Tests(&'static str, &'static [&'static str]),
    /// Tests that lie beside the code.
    InSource(&'static [in_source::Tests]),
    /// The examples in documentation comments.
    Examples(&'static [(&'static str, &'static [&'static str])]),
}

/// All of them.
pub(crate) const SUITES: &[Suite] = &[
    Suite {
        name: "sync",
        group: Group::Threads,
        from: From::Tests("std/tests/sync/lib.rs", &["std/tests/sync", "std/tests/common"]),
    },
    Suite { name: "thread", group: Group::Threads, from: From::Tests("std/tests/thread.rs", &[]) },
    Suite {
        name: "thread_local",
        group: Group::Threads,
        from: From::Tests("std/tests/thread_local/lib.rs", &["std/tests/thread_local"]),
    },
    Suite { name: "thread_src", group: Group::Threads, from: From::InSource(in_source::THREADS) },
    Suite {
        name: "alloc",
        group: Group::Memory,
        from: From::Tests("alloctests/tests/lib.rs", &["alloctests/tests", "alloctests/testing"]),
    },
    Suite { name: "collections", group: Group::Memory, from: From::InSource(in_source::COLLECTIONS) },
    Suite { name: "docs", group: Group::Examples, from: From::Examples(examples::MODULES) },
];

impl Suite {
    /// Its files, as they are for real std; the first is the root.
    pub(crate) fn files(&self, library: &Library) -> Verdict<Vec<(String, String)>> {
        match self.from {
            From::Tests(root, directories) => {
                let mut names = vec![root.to_owned()];
                for directory in directories {
                    names.extend(library.files(directory)?.into_iter().filter(|name| name != root));
                }
                names.into_iter().map(|name| library.read(&name).map(|text| (name, text))).collect()
            }
            From::InSource(tests) => in_source::files(library, tests),
            From::Examples(modules) => examples::files(library, modules),
        }
    }
}

/// The part of a suite that a unit belongs to: a row of the tables.
pub(crate) fn module(unit: &str) -> &str {
    unit.split_once("::").map_or("(top)", |(module, _)| module)
}
