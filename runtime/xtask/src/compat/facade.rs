//! What one of std's suites becomes for a facade.

use super::rewrite;
use crate::units::{self, facade::Facade};
use crate::verdict::Verdict;

impl Facade {
    /// The lines of a manifest's `[dependencies]` that put it in place, and the harness that goes with it.
    pub(crate) fn dependencies(self) -> String {
        format!("{}compat-glue = {}\n", self.dependency(), units::harness(self))
    }

    /// A source file as it is built against this.
    pub(crate) fn source(self, text: String) -> Verdict<String> {
        match self {
            Facade::Std | Facade::DstdStd => Ok(text),
            Facade::Dstd => rewrite::to_dstd(&text),
        }
    }
}
