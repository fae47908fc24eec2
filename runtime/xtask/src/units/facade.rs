//! What stands in std's place.

use crate::arguments::Arguments;
use crate::tree;
use crate::verdict::{Verdict, cannot};

/// What a suite or a program is built against.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Facade {
    /// Real std: the control.
    Std,
    /// dstd under its own name: the sources' paths lead into it.
    Dstd,
    /// dstd renamed to `std`: the sources are as they were.
    DstdStd,
}

impl Facade {
    /// Real std first.
    pub(crate) const ALL: [Facade; 3] = [Facade::Std, Facade::DstdStd, Facade::Dstd];
    /// Those that are held against the control.
    pub(crate) const OURS: [Facade; 2] = [Facade::DstdStd, Facade::Dstd];

    /// Its name on the command line and in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Facade::Std => "std",
            Facade::Dstd => "dstd",
            Facade::DstdStd => "dstd-std",
        }
    }

    /// Its name in sources.
    pub(crate) fn in_sources(self) -> &'static str {
        match self {
            Facade::Std | Facade::DstdStd => "std",
            Facade::Dstd => "dstd",
        }
    }

    /// The line of a manifest's `[dependencies]` that puts it in place.
    pub(crate) fn dependency(self) -> String {
        let top = tree::root().display();
        match self {
            Facade::Std => String::new(),
            Facade::Dstd => format!("dstd = {{ path = \"{top}/dstd\" }}\n"),
            Facade::DstdStd => format!("std = {{ package = \"dstd-std\", path = \"{top}/dstd/std\" }}\n"),
        }
    }
}

/// The facades that `--facade` asks for: all, if it is not given.
pub(crate) fn facades(arguments: &Arguments) -> Verdict<Vec<Facade>> {
    let facade = arguments.word("--facade");
    let wanted = Facade::OURS.into_iter().filter(|known| facade.is_none_or(|name| known.name() == name));
    let wanted: Vec<Facade> = wanted.collect();
    if wanted.is_empty() { cannot("--facade is dstd or dstd-std") } else { Ok(wanted) }
}

/// The numbers of nodes that `--nodes` asks for; `otherwise`, if it is not given.
pub(crate) fn nodes(arguments: &Arguments, otherwise: &[u64]) -> Verdict<Vec<u64>> {
    match arguments.number("--nodes") {
        Some(nodes @ (1 | 3)) => Ok(vec![nodes]),
        Some(_) => cannot("--nodes is 1 or 3"),
        None => Ok(otherwise.to_vec()),
    }
}
