//! What a path means after the imports that it sees.

use super::parts::{Kind, Named, Source};

/// Imports of imports are followed this far.
const STEPS: usize = 4;

impl Source {
    /// What a path can mean: whole paths, from the name of a crate where that is known. `dstd` counts as `std`,
    /// whose names it has.
    pub(crate) fn meanings(&self, named: &Named) -> Vec<String> {
        let words: Vec<String> = named.words.iter().map(|word| word.text.clone()).collect();
        let from_root = named.global || named.kind != Kind::Code;
        let found = if from_root { vec![words] } else { self.look_up(words, named.scope, STEPS) };
        found.into_iter().map(canonical).collect()
    }

    fn look_up(&self, words: Vec<String>, scope: usize, steps: usize) -> Vec<Vec<String>> {
        if steps == 0 {
            return vec![words];
        }
        let Some((first, rest)) = words.split_first() else { return Vec::new() };
        let mut globs = Vec::new();
        let mut next = Some(scope);
        while let Some(at) = next {
            let scope = &self.scopes[at];
            if let Some(full) = scope.imports.get(first) {
                let whole: Vec<String> = full.iter().chain(rest).cloned().collect();
                // `use std::io` and the like begin with a crate; `use io::Read` with another import.
                let ends = full.first() == Some(first)
                    || !full.first().is_some_and(|word| scope.imports.contains_key(word));
                return if ends { vec![whole] } else { self.look_up(whole, at, steps - 1) };
            }
            let imported = scope.globs.iter().filter(|glob| glob.first().is_some_and(|word| word != "super"));
            globs.extend(imported.map(|glob| glob.iter().chain(&words).cloned().collect::<Vec<_>>()));
            next = scope.parent;
        }
        globs.push(words);
        globs
    }
}

fn canonical(words: Vec<String>) -> String {
    let path = words.join("::");
    match path.strip_prefix("dstd") {
        Some(rest) if rest.is_empty() || rest.starts_with("::") => format!("std{rest}"),
        _ => path,
    }
}
