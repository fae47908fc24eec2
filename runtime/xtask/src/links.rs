//! Links in the documents lead somewhere.

use std::path::Path;

use crate::tree;
use crate::verdict::Verdict;

/// Checks the relative links of all documents.
pub(crate) fn check(wrong: &mut Vec<String>) -> Verdict {
    for path in tree::files(".md")? {
        let text = tree::read(&path)?;
        let directory = path.parent().unwrap_or(Path::new("."));
        for target in targets(&text) {
            if !directory.join(target).exists() {
                wrong.push(format!("{} links to {target}, which is not there", tree::name(&path)));
            }
        }
    }
    Ok(())
}

/// The files that `[text](target)` and `[text](target#section)` point to, outside of code.
fn targets(text: &str) -> Vec<&str> {
    let mut code = false;
    let mut targets = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        if code {
            continue;
        }
        let prose = line.split('`').step_by(2);
        for after in prose.flat_map(|part| part.split("](").skip(1)) {
            let target = after.split([')', '#', ' ']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                targets.push(target);
            }
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn files_are_found_and_addresses_are_not() {
        let text = "see [a](b/c.md#d), [e](https://f.g) and [h](#i)\n```\n[j](k)\n```\n`x[l](m)` [n](o.rs)";
        assert_eq!(targets(text), ["b/c.md", "o.rs"]);
    }
}
