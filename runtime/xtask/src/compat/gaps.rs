//! Every unit that a facade fails is in compat-tests/GAPS.md, with its cause.

use super::results::Results;
use crate::tree;
use crate::verdict::Verdict;

/// What failed and is not listed.
pub(crate) fn unlisted(results: &Results) -> Verdict<Vec<String>> {
    let text = tree::read(&tree::root().join("compat-tests/GAPS.md"))?;
    let listed = |name: &str| text.contains(&format!("`{name}`"));
    let failures = results.failures.iter().filter(|(name, ..)| !listed(name));
    let words = failures.map(|(name, place, wrong)| {
        format!("{name} fails ({}) and is not in compat-tests/GAPS.md: {wrong}", place.name())
    });
    Ok(words.collect())
}
