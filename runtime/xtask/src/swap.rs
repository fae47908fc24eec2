//! Puts a facade in place of std in a package of others, as its author would: with `cargo dstd swap`; and how many lines that
//! changes, by the command's own difference.

use std::path::Path;
use std::process::Command;

use crate::tree;
use crate::units::facade::Facade;
use crate::verdict::{Verdict, fail, while_doing};

/// Lines of sources that changed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Lines {
    pub(crate) all: usize,
    /// Those that import nothing.
    pub(crate) others: usize,
}

/// Swaps the package in a directory; what changed in its sources.
pub(crate) fn swap(package: &Path, facade: Facade, cargo_dstd: &Path) -> Verdict<Lines> {
    if facade == Facade::Std {
        return Ok(Lines::default());
    }
    let mut command = Command::new(cargo_dstd);
    command.args(["dstd", "swap", "--write", "--allow-dirty", "--allow-no-vcs", "--facade", facade.name()]);
    command.arg("--dstd-path").arg(tree::root()).arg("--manifest-path").arg(package.join("Cargo.toml"));
    let output = command.output().map_err(while_doing(format!("{command:?}")))?;
    if !output.status.success() {
        return fail(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(changed(&String::from_utf8_lossy(&output.stdout)))
}

/// What a unified difference changes in Rust files.
fn changed(diff: &str) -> Lines {
    let mut lines = Lines::default();
    let (mut is_source, mut in_import) = (false, false);
    for line in diff.lines() {
        if let Some(name) = line.strip_prefix("+++ ") {
            (is_source, in_import) = (name.ends_with(".rs"), false);
            continue;
        }
        if line.starts_with("--- ") || line.starts_with("@@") {
            in_import = false;
            continue;
        }
        // What stays or comes: `use` may have begun lines before.
        let Some(text) = line.strip_prefix([' ', '+']).map(str::trim) else { continue };
        let code = text.strip_prefix("pub(crate) ").or(text.strip_prefix("pub ")).unwrap_or(text);
        let begins = code.starts_with("use ") || code.starts_with("extern crate ");
        let import = begins || in_import;
        in_import = import && !text.contains(';');
        if is_source && line.starts_with('+') {
            lines.all += 1;
            lines.others += usize::from(!import);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_told_from_other_lines() {
        let diff = "--- a/src/main.rs\n+++ b/src/main.rs\n@@ -1,7 +1,7 @@\n-use std::io;\n+use dstd::io;\n use clap::{\n-    a, std::b,\n+    a, dstd::b,\n };\n \
                    fn main() {\n-    std::process::exit(0)\n+    dstd::process::exit(0)\n }\n\
                    --- a/Cargo.toml\n+++ b/Cargo.toml\n@@ -1 +1,2 @@\n [dependencies]\n+dstd = \"1\"\n";
        assert_eq!(changed(diff), Lines { all: 3, others: 1 });
        assert_eq!(changed(""), Lines::default());
    }
}
