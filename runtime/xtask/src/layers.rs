//! Dependencies between our crates point down only.

use crate::tree;
use crate::verdict::Verdict;

/// What each crate may be built from. A new edge here needs a decision record.
const ALLOWED: &[(&str, &[&str])] = &[
    ("dstd-addr", &[]),
    ("dstd-heap", &["dstd-addr"]),
    ("dstd-protocol", &["dstd-addr"]),
    ("dstd-transport", &["dstd-addr"]),
    ("dstd-control", &["dstd-addr"]),
    ("dstd-sim", &["dstd-addr", "dstd-protocol", "dstd-transport"]),
    ("dstd-loom", &[]),
    ("dstd-launch", &["dstd-addr", "dstd-control"]),
    ("dstd-runtime", &["dstd-addr", "dstd-control", "dstd-heap", "dstd-protocol", "dstd-transport"]),
    ("dstd-sync", &["dstd-runtime"]),
    ("dstd-collections", &["dstd-runtime"]),
    ("dstd", &["dstd-runtime", "dstd-sync", "dstd-collections"]),
    ("dstd-std", &["dstd", "dstd-runtime", "dstd-sync", "dstd-collections"]),
    ("xtask", &["dstd-sim"]),
];

/// Checks every manifest.
pub(crate) fn check(wrong: &mut Vec<String>) -> Verdict {
    for path in tree::files("Cargo.toml")? {
        let text = tree::read(&path)?;
        let Some(package) = package(&text) else { continue };
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package) else { continue };
        for dependency in dependencies(&text).filter(|dependency| dependency.starts_with("dstd")) {
            if !allowed.contains(&dependency) {
                wrong.push(format!("{package} must not be built from {dependency}"));
            }
        }
    }
    Ok(())
}

fn package(manifest: &str) -> Option<&str> {
    let (_, package) = manifest.split_once("[package]")?;
    package.lines().find_map(|line| line.strip_prefix("name = "))?.trim().strip_prefix('"')?.strip_suffix('"')
}

/// The names under `[dependencies]` (those of tests and build scripts may be others).
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let section = manifest.split("\n[").find_map(|section| section.strip_prefix("dependencies]"));
    section.unwrap_or_default().lines().filter_map(|line| {
        let name = line.split(['.', '=', ' ']).next()?;
        (!name.is_empty() && !name.starts_with('#')).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read() {
        let text = "[package]\nname = \"dstd-heap\"\n\n[dependencies]\n# why\ndstd-addr.workspace = true\nlibc = \"1\"\n\n[dev-dependencies]\ndstd = \"1\"\n";
        assert_eq!(package(text), Some("dstd-heap"));
        assert_eq!(dependencies(text).collect::<Vec<_>>(), ["dstd-addr", "libc"]);
    }
}
