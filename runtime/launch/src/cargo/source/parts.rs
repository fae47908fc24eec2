//! What a file is made of.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;

use super::Word;

/// A file and what it names.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// What it holds.
    pub(crate) text: String,
    /// Where its first item begins, after the attributes of the whole file.
    pub(crate) items: usize,
    /// Every path, in the order of the text.
    pub(crate) named: Vec<Named>,
    /// `mod x;` and `mod x { .. }`.
    pub(crate) modules: Vec<Module>,
    /// Files whose text is put in place of `include!("..")`.
    pub(crate) includes: Vec<String>,
    /// Literals, as they are written.
    pub(crate) literals: Vec<Word>,
    /// The names of attributes.
    pub(crate) attributes: Vec<Word>,
    /// `let NAME = ..`.
    pub(crate) lets: Vec<Let>,
    /// Arguments of calls of functions and methods, by the name that is called.
    pub(crate) calls: Vec<Word>,
    pub(super) scopes: Vec<Scope>,
}

/// One path.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// Its names. Those of a tree of imports that share a beginning share its words.
    pub(crate) words: Vec<Word>,
    /// Whether it begins with `::`.
    pub(crate) global: bool,
    /// What it is for.
    pub(crate) kind: Kind,
    /// Whether `::` follows: the rest are generics, or variables of a macro.
    pub(crate) open: bool,
    /// Why a rewrite must leave it as it is.
    pub(crate) kept: Option<&'static str>,
    /// Whether it stands in a static item.
    pub(crate) in_static: bool,
    pub(super) scope: usize,
}

/// What a path is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `use PATH`, `use PATH as x`, `use PATH::*`.
    Use { alias: Option<String>, glob: bool },
    /// `extern crate PATH`, `extern crate PATH as x`.
    ExternCrate { alias: Option<String> },
    /// Everywhere else.
    Code,
}

/// A module that is declared.
#[derive(Debug)]
pub(crate) struct Module {
    /// Its name.
    pub(crate) name: Word,
    /// Modules with a body in this file around it, from the outside.
    pub(crate) within: Vec<String>,
    /// Whether its body stands in this file.
    pub(crate) inline: bool,
    /// Files named by `#[path = ".."]`, also under `cfg_attr`.
    pub(crate) files: Vec<String>,
}

/// `let NAME = VALUE`.
#[derive(Debug)]
pub(crate) struct Let {
    /// The variable.
    pub(crate) name: Word,
    /// Where its value begins.
    pub(crate) value: usize,
    /// The braces around it.
    pub(crate) block: Range<usize>,
}

/// Braces: names imported in them hold there.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) parent: Option<usize>,
    pub(super) imports: HashMap<String, Vec<String>>,
    pub(super) globs: Vec<Vec<String>>,
}
