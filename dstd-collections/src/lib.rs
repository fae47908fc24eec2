//! Collections for threads of any node.
//!
//! These are std's own types. Their memory belongs to the partition of the node that allocated it, and
//! every node reads and writes it at the same addresses: a collection may be built on one node, read on a
//! second and dropped on a third.
//!
//! # Network
//! Memory that only one node uses costs nothing. The first access of another node to a page (4 KiB) fetches
//! it, about one round trip; reading on in order fetches many pages at a time. Freed memory goes back to
//! its node in batches.
//!
//! # Differences from std
//! None: the items are std's, so they mix with every crate that uses std.
//!
//! # Examples
//! ```
//! use dstd_collections::BTreeMap;
//!
//! let ranks = BTreeMap::from([("first", 0), ("second", 1)]);
//! let seen = std::thread::spawn(move || ranks["second"]).join().unwrap();
//! assert_eq!(seen, 1);
//! ```

#![forbid(unsafe_code)]

pub use std::collections::*;
