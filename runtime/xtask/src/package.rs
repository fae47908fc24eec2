//! Every crate that is published can be packaged, and builds from its package.

use std::fs;
use std::path::PathBuf;

use crate::cargo;
use crate::row::Row;
use crate::verdict::{Verdict, while_doing};

/// Packages and builds them all.
pub(crate) fn run(rows: &mut Vec<Row>) -> Verdict {
    let names = published()?;
    forget_unpacked(&names)?;
    let mut words = vec!["package", "--quiet", "--allow-dirty"];
    names.iter().for_each(|name| words.extend(["-p", name]));
    cargo::run(&words)?;
    println!("packaged: {}", names.join(", "));
    rows.push(Row::new("package.crates", names.len() as f64, "crates", "cargo xtask package"));
    Ok(())
}

/// Removes what an earlier run has unpacked from packages of the same version: cargo keeps it by the path of the target
/// directory, and would build against what the crates were then.
fn forget_unpacked(names: &[String]) -> Verdict {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let Some(Ok(registries)) = home.map(|home| fs::read_dir(home.join("registry/src"))) else {
        return Ok(());
    };
    // Registries without a host's name are directories.
    for registry in registries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with('-'))
    {
        for name in names {
            let unpacked = registry.path().join(format!("{name}-{}", env!("CARGO_PKG_VERSION")));
            if unpacked.exists() {
                fs::remove_dir_all(&unpacked)
                    .map_err(while_doing(format!("remove {}", unpacked.display())))?;
            }
        }
    }
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
