//! Programs of one node, beside the same source on std.

use crate::programs::{Programs, medians};
use crate::row::Row;
use crate::samples::{Samples, pair};
use crate::verdict::Verdict;

/// What a row is called, the word for `measure`, and what it calls it.
const WORK: [(&str, &str, &str); 5] = [
    ("single.overhead.alloc", "alloc", "allocate and free"),
    ("single.overhead.alloc_hot", "alloc_hot", "allocate and free 64 bytes, per 1000"),
    ("single.overhead.btree", "btree", "work on a map of trees"),
    ("single.overhead.hashmap", "hashmap", "work on a hash map"),
    ("single.overhead.channel", "channel", "send through channels"),
];

/// A row for each program.
pub(super) fn run(programs: &Programs, samples: u64, rows: &mut Vec<Row>) -> Verdict {
    let mut all = Samples::default();
    for turn in 0..samples {
        for (name, word, called) in WORK {
            let here = || medians(programs.alone().arg(word), &[called]);
            let on_std = || medians(programs.on_std().arg(word), &[called]);
            let (here, on_std) = pair(turn, here, on_std)?;
            all.add(name, here[0] / on_std[0]);
            all.add(called, on_std[0]);
        }
    }
    for (name, _, called) in WORK {
        let row = all.row(name, "", "cargo xtask bench page single");
        rows.push(row.beside("us on std", all.median(called)).target("<= +-", 1.0));
    }
    Ok(())
}
