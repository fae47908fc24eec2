//! The suites: which packages, and what they need.

use crate::registry::Published;

/// A package that ships its tests.
pub(crate) struct Suite {
    pub(crate) package: Published,
    /// Crates that it is built from and that are no suites: they are built against the facade too, unchanged.
    pub(crate) convert: &'static [&'static str],
    /// What a program of nodes cannot have.
    pub(crate) removed: &'static [Removed],
    /// Whether its authors have smaller counts for where everything is slow: `cfg(miri)`. They are what runs on several nodes.
    pub(crate) counts: bool,
    /// Whether it is the one that CI runs.
    pub(crate) sample: bool,
}

/// Items of a source file that a facade goes without.
pub(crate) struct Removed {
    pub(crate) file: &'static str,
    /// Statics by name, test functions by path.
    pub(crate) items: &'static [&'static str],
    pub(crate) why: &'static str,
}

const PLAIN: Suite = Suite { package: ("", ""), convert: &[], removed: &[], counts: false, sample: false };

/// All of them.
pub(crate) const SUITES: &[Suite] = &[
    Suite {
        package: ("crossbeam-channel", "0.5.17"),
        removed: &[Removed {
            file: "tests/golang.rs",
            items: &["A", "select2::main"],
            why: "a `#[global_allocator]` that counts: a program has one, and dstd's is it",
        }],
        counts: true,
        ..PLAIN
    },
    Suite { package: ("flume", "0.11.1"), ..PLAIN },
    Suite { package: ("bus", "2.4.1"), convert: &["parking_lot_core"], ..PLAIN },
    Suite { package: ("crossbeam-deque", "0.8.8"), convert: &["crossbeam-epoch"], counts: true, ..PLAIN },
    Suite { package: ("crossbeam-queue", "0.3.14"), counts: true, ..PLAIN },
    Suite { package: ("crossbeam-utils", "0.8.23"), counts: true, sample: true, ..PLAIN },
    Suite { package: ("once_cell", "1.21.4"), ..PLAIN },
    Suite { package: ("parking_lot", "0.12.5"), convert: &["parking_lot_core"], ..PLAIN },
    Suite { package: ("threadpool", "1.8.1"), ..PLAIN },
];

impl Suite {
    /// Its name on the command line.
    pub(crate) fn name(&self) -> &'static str {
        self.package.0
    }

    /// Its name in tables: of another version it is another suite.
    pub(crate) fn label(&self) -> String {
        format!("{}-{}", self.package.0, self.package.1)
    }
}
