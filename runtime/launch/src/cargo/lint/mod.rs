//! What of a program's own sources stays on one node.
//!
//! A lint knows names: it finds the places where a program says them, through its imports. It does not know types,
//! so it cannot see what a value is that passes through variables, and says nothing of other crates' insides.
//!
//! | module | what it is |
//! |---|---|
//! | `rules` | names, and what is said of them |
//! | `find` | finds them in a source |
//! | `moments` | `Instant`s that another node may see |
//! | `show` | what a finding looks like |

mod find;
mod moments;
mod rules;
mod show;

pub(crate) use find::find;
pub(crate) use rules::LINTS;
pub(crate) use show::show;

use std::collections::BTreeSet;
use std::ops::Range;

/// What findings depend on besides a source.
#[derive(Debug, Default)]
pub(crate) struct Program {
    /// Its `std` is dstd already.
    pub(crate) renamed: bool,
    /// Crates that it depends on, as its sources name them.
    pub(crate) crates: BTreeSet<String>,
}

/// A place where a program says something that stays on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// By which lint.
    pub(crate) lint: &'static str,
    /// Where.
    pub(crate) at: Range<usize>,
    /// What is so.
    pub(crate) words: String,
    /// What can be done.
    pub(crate) help: String,
}
