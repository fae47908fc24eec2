//! Every crate that is published can be packaged, and builds from its package.

use crate::cargo;
use crate::row::Row;
use crate::verdict::Verdict;

/// Packages and builds them all.
pub(crate) fn run(rows: &mut Vec<Row>) -> Verdict {
    let names = published()?;
    let mut words = vec!["package", "--quiet", "--allow-dirty"];
    names.iter().for_each(|name| words.extend(["-p", name]));
    cargo::run(&words)?;
    println!("packaged: {}", names.join(", "));
    rows.push(Row::new("package.crates", names.len() as f64, "crates", "cargo xtask package"));
    Ok(())
}

/// The workspace's packages whose manifests do not say `publish = false`.
fn published() -> Verdict<Vec<String>> {
    let mut names = Vec::new();
    for path in crate::tree::files("Cargo.toml")? {
        let text = crate::tree::read(&path)?;
        let name = text.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        let private = text.lines().any(|line| line == "publish = false");
        names.extend(name.filter(|_| !private).map(str::to_owned));
    }
    Ok(names)
}
