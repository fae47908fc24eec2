//! `cargo xtask api`: is everything of std in the facades? std's own documentation, as data, says what there is.
//!
//! ```text
//! docs      rustdoc of core, alloc, std (from rust-src) and of our runtime, as JSON
//!   |-- paths     every stable public path of std
//!   `-- own       what dstd defines itself, beside what std has under the same name
//! write     both as Rust files that the tests of both facades compile: compat-tests/ui/api
//! ```
//! The files are made for the oldest toolchain that dstd supports, whose stable paths every later one has. Without
//! `--write` they are compared with what they would be.

mod docs;
mod own;
mod paths;
mod write;

use std::fs;

use crate::arguments::Arguments;
use crate::row::Row;
use crate::tree;
use crate::verdict::{Verdict, fail, while_doing};

/// Where the files lie.
const DIRECTORY: &str = "compat-tests/ui/api";

/// Makes the files, or checks that they are what they would be.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    let std = docs::of_std()?;
    let paths = paths::stable(&std)?;
    let own = own::compare(&std, &docs::of_runtime()?)?;
    let files = [("paths.rs", write::paths(&paths)), ("own.rs", write::own(&own))];
    for (name, text) in &files {
        let file = tree::root().join(DIRECTORY).join(name);
        if arguments.flag("--write") {
            fs::write(&file, text).map_err(while_doing(format!("write {}", file.display())))?;
        } else if tree::read(&file)? != *text {
            return fail(format!(
                "{DIRECTORY}/{name} is not what std's documentation says: cargo xtask api --write"
            ));
        }
    }
    let gaps = own.iter().flat_map(|item| item.gaps.iter().map(|gap| format!("{}: {gap}", item.path)));
    let gaps: Vec<String> = gaps.collect();
    gaps.iter().for_each(|gap| println!("{gap}"));
    println!("{} stable paths of std; {} items of our own, {} gaps", paths.len(), own.len(), gaps.len());
    rows.push(Row::new("api.paths", paths.len() as f64, "paths", "cargo xtask api"));
    rows.push(Row::new("api.own", own.len() as f64, "items", "cargo xtask api"));
    rows.push(Row::new("api.gaps", gaps.len() as f64, "gaps", "cargo xtask api").target("<=", 0.0));
    Ok(())
}
