//! Every unit that a facade fails is in compat-tests/GAPS.md, with its cause, and no other is.

use super::results::Results;
use crate::tree;
use crate::verdict::{Verdict, cannot};

/// How the headings of the lists begin.
const UNITS: &str = "## Units of ";

/// The file's text.
pub(crate) struct Gaps(String);

impl Gaps {
    /// Reads it.
    pub(crate) fn read() -> Verdict<Gaps> {
        let text = tree::read(&tree::root().join("compat-tests/GAPS.md"))?;
        if !text.contains(UNITS) {
            return cannot(format!("compat-tests/GAPS.md has no {UNITS:?}"));
        }
        Ok(Gaps(text))
    }

    /// Whether it names this unit of this suite.
    pub(crate) fn has(&self, suite: &str, unit: &str) -> bool {
        self.0.contains(&format!("`{suite}::{unit}`"))
    }

    /// What is listed of suites that ran and has not failed. Makes sense when they ran everywhere.
    pub(crate) fn stale(&self, results: &Results) -> Vec<String> {
        let units = self.0.split_once(UNITS).map_or("", |(_, units)| units);
        let ran = |name: &&str| {
            let suite = name.split_once("::").map(|(suite, _)| suite);
            results.control.keys().any(|(ran, _)| Some(ran.as_str()) == suite)
        };
        let failed = |name: &&str| results.failures.iter().any(|(failed, ..)| failed == name);
        // Between two backticks is every second part.
        let listed = units.split('`').skip(1).step_by(2).filter(ran).filter(|name| !failed(name));
        listed.map(|name| format!("{name} is in compat-tests/GAPS.md and passes")).collect()
    }

    /// What failed and is not listed.
    pub(crate) fn unlisted(&self, results: &Results) -> Vec<String> {
        let listed = |name: &str| self.0.contains(&format!("`{name}`"));
        let failures = results.failures.iter().filter(|(name, ..)| !listed(name));
        let words = failures.map(|(name, place, wrong)| {
            format!("{name} fails ({}) and is not in compat-tests/GAPS.md: {wrong}", place.name())
        });
        words.collect()
    }
}
