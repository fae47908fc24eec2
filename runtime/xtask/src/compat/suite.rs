//! Std's own suites.

use std::collections::BTreeMap;

use super::examples;
use super::in_source;
use super::library::Library;
use crate::row::Row;
use crate::units::results::{Results, Where};
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

/// The shares of groups on the facades, which have to be what they have to be.
pub(crate) fn shares(results: &Results) -> Vec<Row> {
    let mut shares: BTreeMap<(Group, Where), [u64; 3]> = BTreeMap::new();
    for ((key, place), count) in &results.counts {
        let Some(suite) = SUITES.iter().find(|suite| suite.name == key.0) else { continue };
        let control = results.control.get(key).copied().unwrap_or(0);
        let share = shares.entry((suite.group, *place)).or_default();
        for (sum, part) in share.iter_mut().zip([control, count.passed, count.met]) {
            *sum += part;
        }
    }
    let mut rows = Vec::new();
    for ((group, place), [control, passed, met]) in shares {
        let words = format!("cargo xtask compat {}", place.options());
        let row = |what: &str, part: u64| {
            let name = format!("{} {what}, {}", group.name(), place.name());
            Row::new(name, part as f64 / control as f64, "of control", &words)
        };
        rows.push(row("passed", passed).target(">=", group.passed(place.nodes)));
        if let Some(least) = group.met(place.nodes) {
            rows.push(row("met the network", met).target(">=", least));
        }
    }
    rows
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
