//! Every unit that a facade fails is in compat-tests/GAPS.md, with its cause, and no other is.

use super::results::Results;
use crate::tree;
use crate::verdict::{Verdict, cannot};

/// The heading of the list.
const UNITS: &str = "## Units of std's own suites that fail";

fn text() -> Verdict<String> {
    tree::read(&tree::root().join("compat-tests/GAPS.md"))
}

/// What is listed of suites that ran and has not failed. Makes sense when they ran everywhere.
pub(crate) fn stale(results: &Results) -> Verdict<Vec<String>> {
    let text = text()?;
    let Some((_, units)) = text.split_once(UNITS) else {
        return cannot(format!("compat-tests/GAPS.md has no {UNITS:?}"));
    };
    let ran = |name: &&str| {
        let suite = name.split_once("::").map(|(suite, _)| suite);
        results.control.keys().any(|(ran, _)| Some(ran.as_str()) == suite)
    };
    let failed = |name: &&str| results.failures.iter().any(|(failed, ..)| failed == name);
    // Between two backticks is every second part.
    let listed = units.split('`').skip(1).step_by(2).filter(ran).filter(|name| !failed(name));
    Ok(listed.map(|name| format!("{name} is in compat-tests/GAPS.md and passes")).collect())
}

/// What failed and is not listed.
pub(crate) fn unlisted(results: &Results) -> Verdict<Vec<String>> {
    let text = text()?;
    let listed = |name: &str| text.contains(&format!("`{name}`"));
    let failures = results.failures.iter().filter(|(name, ..)| !listed(name));
    let words = failures.map(|(name, place, wrong)| {
        format!("{name} fails ({}) and is not in compat-tests/GAPS.md: {wrong}", place.name())
    });
    Ok(words.collect())
}
