//! `word_count` against the real std, for comparison: its output must be the same, byte for byte.
//!
//! The source files are those of `word_count`, read from its folder; none of their lines differs. They say
//! `use dstd::..`, so this crate takes the name `dstd` for itself and offers std under it, with the few
//! items of `place` that the program uses.

#![forbid(unsafe_code)]

extern crate self as dstd;

pub use std::*;

#[path = "../../src/main.rs"]
mod word_count;

/// A std program is one node.
pub mod place {
    use std::fmt;

    /// The only node.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
    pub struct NodeId;

    impl fmt::Display for NodeId {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("0")
        }
    }

    /// The node that runs the calling thread.
    pub fn here() -> NodeId {
        NodeId
    }
}

fn main() -> process::ExitCode {
    word_count::main()
}
