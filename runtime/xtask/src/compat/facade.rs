//! What stands in std's place.

use super::rewrite;
use crate::tree;
use crate::verdict::Verdict;

/// What a suite is built against.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Facade {
    /// Real std: the control.
    Std,
    /// dstd under its own name: the sources' paths are rewritten.
    Dstd,
    /// dstd renamed to `std`: the sources are as they were.
    DstdStd,
}

impl Facade {
    /// Those that are held against the control.
    pub(crate) const OURS: [Facade; 2] = [Facade::DstdStd, Facade::Dstd];

    /// Its name on the command line and in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Facade::Std => "std",
            Facade::Dstd => "dstd",
            Facade::DstdStd => "dstd-std",
        }
    }

    /// The lines of a manifest's `[dependencies]` that put it in place, and the harness that goes with it.
    pub(crate) fn dependencies(self) -> String {
        let top = tree::root().display();
        let mut lines = match self {
            Facade::Std => String::new(),
            Facade::Dstd => format!("dstd = {{ path = \"{top}/dstd\" }}\n"),
            Facade::DstdStd => format!("std = {{ package = \"dstd-std\", path = \"{top}/dstd/std\" }}\n"),
        };
        let cluster = self != Facade::Std;
        lines.push_str(&format!(
            "compat-glue = {{ path = \"{top}/compat-tests/units/glue\", default-features = {cluster} }}\n"
        ));
        lines
    }

    /// A source file as it is built against this.
    pub(crate) fn source(self, text: String) -> Verdict<String> {
        match self {
            Facade::Std | Facade::DstdStd => Ok(text),
            Facade::Dstd => rewrite::to_dstd(&text),
        }
    }
}
