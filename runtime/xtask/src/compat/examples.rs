//! The examples of std's documentation, each as a test function in a module of its own: what rustdoc does with them.

use std::collections::{BTreeMap, BTreeSet};

use super::library::Library;
use crate::verdict::Verdict;

/// The modules whose examples are units, and the files that they are documented in.
pub(crate) const MODULES: &[(&str, &[&str])] = &[
    ("boxed", &["alloc/src/boxed.rs", "alloc/src/boxed"]),
    ("rc", &["alloc/src/rc.rs"]),
    ("sync", &["alloc/src/sync.rs", "std/src/sync"]),
    ("atomic", &["core/src/sync/atomic.rs"]),
    ("vec", &["alloc/src/vec"]),
    ("string", &["alloc/src/string.rs", "alloc/src/str.rs"]),
    ("slice", &["alloc/src/slice.rs", "core/src/slice"]),
    ("collections", &["alloc/src/collections", "std/src/collections"]),
    ("thread", &["std/src/thread"]),
    ("cell", &["core/src/cell.rs", "core/src/cell"]),
    ("borrow", &["alloc/src/borrow.rs", "core/src/borrow.rs"]),
];

/// Files that are documented as a module of their own.
const APART: &[(&str, &str)] = &[("std/src/sync/mpsc.rs", "mpsc")];

/// An example.
#[derive(Debug, PartialEq)]
struct Example {
    /// The line of its first line of code.
    line: usize,
    panics: bool,
    code: Vec<String>,
}

/// A crate of these modules' examples.
pub(crate) fn files(library: &Library, modules: &[(&str, &[&str])]) -> Verdict<Vec<(String, String)>> {
    let (mut features, mut parts, mut files) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
    for (module, places) in modules {
        for place in *places {
            let names =
                if place.ends_with(".rs") { vec![(*place).to_owned()] } else { library.files(place)? };
            for name in names.iter().filter(|name| !name.ends_with("tests.rs")) {
                let module =
                    APART.iter().find(|(file, _)| file == name).map_or(*module, |(_, module)| module);
                for example in examples(&library.read(name)?) {
                    let stem = name.trim_end_matches(".rs").replace("/src/", "_").replace('/', "_");
                    let unit = format!("{stem}_{}", example.line);
                    files.push((format!("{module}/{unit}.rs"), example.source(&mut features)));
                    parts.entry(module).or_insert_with(Vec::new).push(unit);
                }
            }
        }
    }
    let mut root = String::from("#![allow(warnings)]\n");
    for feature in features {
        root.push_str(&format!("#![feature({feature})]\n"));
    }
    for (module, units) in parts {
        root.push_str(&format!("mod {module} {{\n"));
        for unit in units {
            root.push_str(&format!("    mod {unit};\n"));
        }
        root.push_str("}\n");
    }
    files.insert(0, ("lib.rs".to_owned(), root));
    Ok(files)
}

impl Example {
    /// As a module; adds the gates that it names.
    fn source(self, features: &mut BTreeSet<String>) -> String {
        let mut code = String::new();
        for line in &self.code {
            match line.trim().strip_prefix("#![").and_then(|line| line.strip_suffix(']')) {
                Some(attribute) => {
                    let gates = attribute.strip_prefix("feature(").and_then(|gates| gates.strip_suffix(')'));
                    features.extend(
                        gates
                            .into_iter()
                            .flat_map(|gates| gates.split(','))
                            .map(|gate| gate.trim().to_owned()),
                    );
                }
                None => {
                    code.push_str(line);
                    code.push('\n');
                }
            }
        }
        let panics = if self.panics { "#[should_panic]\n" } else { "" };
        if code.contains("fn main()") {
            // What `main` returns counts, as it does for a program; who is to panic returns nothing.
            let (returned, end) =
                if self.panics { ("", ";") } else { (" -> impl std::process::Termination", "") };
            return format!("{code}\n#[test]\n{panics}fn example(){returned} {{\n    main(){end}\n}}\n");
        }
        if code.trim_end().ends_with("(())") {
            return format!(
                "#[test]\n{panics}fn example() {{\n    fn fallible() -> core::result::Result<(), impl core::fmt::Debug> {{\n{code}    }}\n    fallible().unwrap();\n}}\n"
            );
        }
        format!("#[test]\n{panics}fn example() {{\n{code}}}\n")
    }
}

/// The runnable examples in the documentation comments of a file.
fn examples(text: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut open: Option<(Option<Example>, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let Some(comment) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else {
            // What macros put together cannot be read here.
            if line.starts_with("#[doc = concat!")
                && let Some((example, _)) = &mut open
            {
                *example = None;
            } else {
                open = None;
            }
            continue;
        };
        let comment = comment.strip_prefix(' ').unwrap_or(comment);
        match (comment.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => found.extend(open.take().and_then(|(example, _)| example)),
            (Some(words), None) => {
                let runs = runnable(words);
                let example = runs.map(|panics| Example { line: number + 2, panics, code: Vec::new() });
                open = Some((example, number));
            }
            (None, Some((Some(example), _))) => example.code.push(shown(comment)),
            (None, _) => {}
        }
    }
    found
}

/// What a line of an example is to the compiler: a leading `#` only hides it.
fn shown(line: &str) -> String {
    let inner = line.trim_start();
    match inner.strip_prefix('#') {
        Some("") => String::new(),
        Some(rest) if rest.starts_with(' ') => rest.to_owned(),
        Some(rest) if rest.starts_with('#') => rest.to_owned(),
        _ => line.to_owned(),
    }
}

/// What a target is called after which rustdoc ignores an example, where this is.
const HERE: [&str; 4] = ["x86_64", "x86", "linux", "unix"];

/// Whether a block with these words is code to run, and whether that is to panic.
fn runnable(words: &str) -> Option<bool> {
    let mut panics = false;
    for word in words.split([',', ' ']).filter(|word| !word.is_empty()) {
        match word {
            "rust" | "standalone" | "standalone_crate" | "edition2024" => {}
            "should_panic" => panics = true,
            other if other.strip_prefix("ignore-").is_some_and(|target| !HERE.contains(&target)) => {}
            _ => return None,
        }
    }
    Some(panics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runnable_examples_are_found_with_their_hidden_lines() {
        let text = "/// Words.\n///\n/// ```\n/// #![feature(a, b)]\n/// # use std::x;\n/// let v = [1];\n/// ```\nfn f() {}\n//! ```no_run\n//! x\n//! ```\n/// ```should_panic\n/// panic!()\n/// ```\n/// ```text\n/// no\n/// ```\n";
        let found = examples(text);
        assert_eq!(
            found.iter().map(|example| (example.line, example.panics)).collect::<Vec<_>>(),
            [(4, false), (13, true)]
        );
        let mut features = BTreeSet::new();
        let source = found.into_iter().next().expect("there are two").source(&mut features);
        assert_eq!(source, "#[test]\nfn example() {\n use std::x;\nlet v = [1];\n}\n");
        assert_eq!(features.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn an_example_may_have_a_main_or_a_result() {
        let source = |code: &str| {
            let code = code.lines().map(str::to_owned).collect();
            Example { line: 1, panics: false, code }.source(&mut BTreeSet::new())
        };
        let of_main = source("fn main() { f() }");
        assert!(
            of_main.contains("fn example() -> impl std::process::Termination {\n    main()\n}"),
            "{of_main}"
        );
        assert!(source("g()?;\nOk::<(), E>(())").contains("fallible().unwrap()"));
    }

    #[test]
    fn a_line_may_begin_with_an_attribute() {
        assert_eq!(shown("#[derive(Debug)]"), "#[derive(Debug)]");
        assert_eq!(
            (shown("# x"), shown("## x"), shown("#")),
            (" x".to_owned(), "# x".to_owned(), String::new())
        );
    }
}
