//! What was found, as Rust that the tests of the facades compile.

use std::collections::{BTreeMap, BTreeSet};

use super::own::Own;

/// Types for a parameter: one that may go anywhere, and one that may not.
const GIVEN: [&str; 2] = ["u8", "*const u8"];

/// Columns of a line of imports.
const WIDTH: usize = 140;

/// An import of each path, those of one module together. Whoever includes the file says which facade is meant.
pub(super) fn paths(paths: &BTreeSet<String>) -> String {
    let mut text = String::from(
        "//! Every stable public path of std 1.95. Made by `cargo xtask api --write`.\n\n\
         #![allow(unused_imports, deprecated, clippy::all, reason = \"that they are there is the test\")]\n\n",
    );
    let mut modules: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in paths {
        let mut names: Vec<String> = path.split("::").map(raw).collect();
        let last = names.pop().unwrap_or_default();
        names.insert(0, "super::facade".to_owned());
        modules.entry(names.join("::")).or_default().push(format!("{last} as _"));
    }
    for (module, names) in modules {
        let mut line = format!("use {module}::{{");
        for name in names {
            if line.len() + name.len() > WIDTH {
                text.push_str(line.trim_end());
                line = "\n    ".to_owned();
            }
            line.push_str(&name);
            line.push_str(", ");
        }
        text.push_str(line.trim_end_matches(", "));
        text.push_str("};\n");
    }
    text
}

/// A name as a path has it.
fn raw(name: &str) -> String {
    let is_keyword =
        ["async", "await", "dyn", "try", "gen", "yield", "become", "use", "pub", "for", "in", "box"];
    if is_keyword.contains(&name) { format!("r#{name}") } else { name.to_owned() }
}

/// One test for each type: std's methods are there, and both have the same traits.
pub(super) fn own(own: &[Own]) -> String {
    let mut text = String::from(
        "//! What dstd defines itself, beside what std 1.95 has under the same name. Made by `cargo xtask api --write`.\n",
    );
    for item in own.iter().filter(|item| !item.traits.is_empty()) {
        let (name, test) = (&item.path, item.path.replace("::", "_").to_lowercase());
        text.push_str(&format!("\n#[test]\nfn {test}() {{\n"));
        for (method, given) in &item.methods {
            let turbofish =
                if given.is_empty() { String::new() } else { format!("::<{}>", given.join(", ")) };
            let of = with(item, GIVEN[0]);
            text.push_str(&format!("    let _ = <dstd::{of}>::{method}{turbofish};\n"));
        }
        let types: Vec<String> = GIVEN.iter().map(|given| with(item, given)).collect();
        let plain = item.parameters.iter().all(|parameter| parameter.starts_with('\''));
        for of in &types[..if plain { 1 } else { types.len() }] {
            for path in &item.traits {
                text.push_str(&format!("    same!(std::{path}, std::{of}, dstd::{of});\n"));
            }
        }
        text.push_str("}\n");
        for gap in &item.gaps {
            text.push_str(&format!("// {name}: {gap}\n"));
        }
    }
    text
}

/// The type with something for each of its parameters.
fn with(item: &Own, given: &str) -> String {
    if item.parameters.is_empty() {
        return item.path.clone();
    }
    let parameters = item.parameters.iter().map(|one| if one.starts_with('\'') { "'static" } else { given });
    format!("{}<{}>", item.path, parameters.collect::<Vec<_>>().join(", "))
}
