//! Published sources of packages, through cargo alone.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cargo;
use crate::tree;
use crate::verdict::{Verdict, cannot, while_doing};

/// A package on the registry, by name and exact version.
pub(crate) type Published = (&'static str, &'static str);

/// Where cargo has unpacked the sources of these packages, in their order. Nobody may write there.
pub(crate) fn fetch(packages: &[Published]) -> Verdict<Vec<PathBuf>> {
    let unpacked = unpacked()?;
    let places = packages.iter().map(|(name, version)| unpacked.join(format!("{name}-{version}")));
    let places: Vec<PathBuf> = places.collect();
    let is_there = |place: &PathBuf| place.join("Cargo.toml").is_file();
    if !places.iter().all(is_there) {
        download(packages)?;
    }
    match places.iter().find(|place| !is_there(place)) {
        Some(place) => cannot(format!("cargo fetch does not unpack {}", place.display())),
        None => Ok(places),
    }
}

/// Lets cargo bring packages: as what a package without code depends on. A program can be named there, too.
fn download(packages: &[Published]) -> Verdict {
    let directory = tree::target("registry")?;
    let (manifest, root) = (directory.join("Cargo.toml"), directory.join("lib.rs"));
    let mut words = String::from(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\npath = \"lib.rs\"\n\n[workspace]\n\n",
    );
    for (name, version) in packages {
        words.push_str(&format!(
            "[dependencies.{name}]\nversion = \"={version}\"\ndefault-features = false\n\n"
        ));
    }
    fs::create_dir_all(&directory)
        .and_then(|()| fs::write(&root, ""))
        .and_then(|()| fs::write(&manifest, words))
        .map_err(while_doing(directory.display()))?;
    let mut fetch =
        cargo::cargo(&["fetch", "--quiet", "--target", "x86_64-unknown-linux-gnu", "--manifest-path"]);
    cargo::passes(fetch.arg(&manifest))
}

/// Where cargo unpacks what comes from the registry: beside a package that we depend on.
fn unpacked() -> Verdict<PathBuf> {
    let metadata = cargo::output(&["metadata", "--format-version", "1"])?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(while_doing("cargo metadata"))?;
    let ours =
        metadata["packages"].as_array().into_iter().flatten().find(|package| package["name"] == "libc");
    let manifest = ours.and_then(|package| package["manifest_path"].as_str()).map(Path::new);
    match manifest.and_then(Path::parent).and_then(Path::parent) {
        Some(directory) => Ok(directory.to_owned()),
        None => cannot("cargo metadata does not tell where libc is"),
    }
}

/// A manifest without the tables whose first lines `is_left_out` names.
pub(crate) fn without_tables(manifest: &str, is_left_out: impl Fn(&str) -> bool) -> String {
    let mut keep = true;
    let kept = |line: &&str| {
        if line.starts_with('[') {
            keep = !is_left_out(line);
        }
        keep
    };
    manifest.split_inclusive('\n').filter(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_go_with_their_lines() {
        let manifest = "[package]\nname = \"a\"\n[dev-dependencies.criterion]\nversion = \"1\"\n[dev-dependencies.rand]\nversion = \"1\"\n";
        assert_eq!(
            without_tables(manifest, |line| line.contains("criterion")),
            "[package]\nname = \"a\"\n[dev-dependencies.rand]\nversion = \"1\"\n"
        );
    }
}
