//! The properties of the heap that the rest of the system relies on, by id.
//!
//! `guaranteed`: ours to enforce and to check. `assumed`: given to us, and not to be broken by us.

/// Whether this crate enforces a property or relies on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Ours to enforce and to check.
    Guaranteed,
    /// Given to us by the layers around.
    Assumed,
}

/// One property: its id, its sentence, its standing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invariant {
    /// The id that comments, assertions and metrics cite.
    pub id: &'static str,
    /// What holds.
    pub sentence: &'static str,
    /// Whether we enforce it.
    pub standing: Standing,
}

/// All properties of this crate.
pub const ALL: &[Invariant] = &[
    Invariant {
        id: "HEAP-1",
        sentence: "partitions and private ranges of different nodes are disjoint",
        standing: Standing::Guaranteed,
    },
    Invariant {
        id: "HEAP-2",
        sentence: "only the home of an address allocates and frees there",
        standing: Standing::Guaranteed,
    },
    Invariant { id: "HEAP-3", sentence: "live allocations do not overlap", standing: Standing::Guaranteed },
    Invariant {
        id: "HEAP-4",
        sentence: "an address from outside is wild until the heap has resolved it",
        standing: Standing::Guaranteed,
    },
    Invariant {
        id: "ISO-2",
        sentence: "no lock of the heap is held while user memory is touched",
        standing: Standing::Guaranteed,
    },
    Invariant {
        id: "COH-1",
        sentence: "a block is freed once, by whoever owns it",
        standing: Standing::Assumed,
    },
];
