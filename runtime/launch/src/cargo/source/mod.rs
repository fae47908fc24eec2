//! A program's own sources, read without compiling them: which paths they name, and where.
//!
//! ```text
//! package   all sources of a package
//! modules   from a target's root along `mod x;` and `include!` to every file
//!    `-- scan     one file: its tokens become paths, imports, scopes
//!          |-- parts     what a file is made of
//!          |-- imports   the trees of `use`
//!          `-- resolve   what a path means after the imports that it sees
//! edit      replaces text by its place, and shows that as a diff
//! ```
//! The tokens are those of the compiler, so strings and comments are never mistaken for code, and what stands in
//! the arguments of macros is seen like everything else. What macros make of them is not.

pub(crate) mod edit;
mod imports;
mod modules;
mod package;
mod parts;
mod resolve;
mod scan;

pub(crate) use modules::{Files, walk};
pub(crate) use package::Sources;
pub(crate) use parts::{Kind, Named, Source};

use std::ops::Range;

/// A line and a column of a text, from 1, and the text of the line.
pub(crate) fn place(text: &str, at: usize) -> (usize, usize, &str) {
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1, line)
}

/// One name of a path, and its bytes in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// The name.
    pub(crate) text: String,
    /// Where it stands.
    pub(crate) at: Range<usize>,
}
