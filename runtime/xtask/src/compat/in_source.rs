//! Tests that lie beside the code that they test, in a crate that has the facade's types under the names they use.
//!
//! Whatever they name that is private to std does not compile and goes, with real std as with a facade.

use super::library::Library;
use crate::verdict::Verdict;

/// A file of tests.
pub(crate) struct Tests {
    /// The module that it is put in.
    module: &'static str,
    file: &'static str,
    /// What `super` is to have.
    parent: &'static str,
}

/// Those of threads.
pub(crate) const THREADS: &[Tests] = &[Tests {
    module: "thread_and_scope",
    file: "std/src/thread/tests.rs",
    parent: "pub use std::thread::*;",
}];

/// Those of collections.
pub(crate) const COLLECTIONS: &[Tests] = &[
    Tests {
        module: "hash_map",
        file: "std/src/collections/hash/map/tests.rs",
        parent: "pub use std::collections::hash_map::*; pub use std::collections::HashMap;",
    },
    Tests {
        module: "hash_set",
        file: "std/src/collections/hash/set/tests.rs",
        parent: "pub use std::collections::{hash_set::*, HashSet};",
    },
    Tests {
        module: "vec_deque",
        file: "alloc/src/collections/vec_deque/tests.rs",
        parent: "pub use std::collections::{vec_deque::*, VecDeque};",
    },
    Tests {
        module: "linked_list",
        file: "alloc/src/collections/linked_list/tests.rs",
        parent: "pub use std::collections::{linked_list::*, LinkedList};",
    },
    Tests {
        module: "btree_map",
        file: "alloc/src/collections/btree/map/tests.rs",
        parent: "pub use std::collections::{btree_map::*, BTreeMap}; pub use std::cmp::Ordering; use crate::Checked;",
    },
    Tests {
        module: "btree_set",
        file: "alloc/src/collections/btree/set/tests.rs",
        parent: "pub use std::collections::{btree_set::*, BTreeSet}; pub use std::cmp::Ordering;",
    },
];

/// What these files find in their own crate, beside std's modules.
const CRATE: &str = "#![allow(dead_code, unused, internal_features)]
extern crate std as realstd;
pub use std::*;

mod testing;

mod test_helpers {
    pub fn test_rng() -> rand_xorshift::XorShiftRng {
        rand::SeedableRng::from_seed([7; 16])
    }
}

/// Structures check themselves with code that only std has.
pub trait Checked {
    fn check(&self) {}
}
impl<K, V> Checked for std::collections::BTreeMap<K, V> {}
";

/// A crate of these tests.
pub(crate) fn files(library: &Library, tests: &[Tests]) -> Verdict<Vec<(String, String)>> {
    let mut root = CRATE.to_owned();
    let mut files = Vec::new();
    for Tests { module, file, parent } in tests {
        root.push_str(&format!("mod {module} {{\n    {parent}\n    mod tests;\n}}\n"));
        files.push((format!("{module}/tests.rs"), library.read(file)?));
    }
    for name in library.files("alloctests/testing")? {
        files.push((name.replace("alloctests/", ""), library.read(&name)?));
    }
    files.insert(0, ("lib.rs".to_owned(), root));
    Ok(files)
}
