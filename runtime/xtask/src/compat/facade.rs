//! What one of std's suites becomes for a facade.

use super::rewrite;
use crate::tree;
use crate::units::{self, facade::Facade};
use crate::verdict::Verdict;

impl Facade {
    /// The lines of a manifest's `[dependencies]` that put it in place, and the harness that goes with it.
    pub(crate) fn dependencies(self) -> String {
        let top = tree::root().display();
        let mut lines = match self {
            Facade::Std => String::new(),
            Facade::Dstd => format!("dstd = {{ path = \"{top}/dstd\" }}\n"),
            Facade::DstdStd => format!("std = {{ package = \"dstd-std\", path = \"{top}/dstd/std\" }}\n"),
        };
        lines.push_str(&format!("compat-glue = {}\n", units::harness(self)));
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
