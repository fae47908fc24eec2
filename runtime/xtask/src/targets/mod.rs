//! What the page engine and the runtime reach of what they stand on, each row with its target.
//!
//! | part | rows | beside |
//! |---|---|---|
//! | `walks` | bulk through pages of another node | the same bytes over the bare transport |
//! | `faults` | a fault of 4 KiB | a bare userfaultfd fault and a round trip of the bare transport |
//! | `threads` | spawn and join, `place::call` | std, a round trip |
//! | `locks` | a std mutex between nodes, an instruction over two contended pages | the residence and round trips |
//! | `direct` | reads and a mutex inside a domain | std |
//! | `single` | programs of one node | the same source on std |
//!
//! A sample is the median of what one run of a program measures. What is compared runs by turns, in alternating order, and
//! a row's value is the median of the samples or of what one sample is more than, or a multiple of, the other of its turn.

mod direct;
mod faults;
mod locks;
mod single;
mod threads;
mod walks;

use crate::arguments::Arguments;
use crate::programs::Programs;
use crate::row::Row;
use crate::verdict::{Verdict, cannot};

/// Measures one part with so many samples.
type Part = fn(&Programs, u64, &mut Vec<Row>) -> Verdict;

const PARTS: &[(&str, Part)] = &[
    ("walks", walks::run),
    ("faults", faults::run),
    ("threads", threads::run),
    ("locks", locks::run),
    ("direct", direct::run),
    ("single", single::run),
];
const SAMPLES: u64 = 15;

/// Measures the part that was asked for, or all.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    let wanted = arguments.part.as_deref();
    let is_wanted = |name: &str| wanted.is_none_or(|wanted| wanted == name);
    let parts: Vec<_> = PARTS.iter().filter(|(name, _)| is_wanted(name)).collect();
    if parts.is_empty() {
        return cannot(format!("bench page has no part {}", wanted.unwrap_or_default()));
    }
    let programs = Programs::build()?;
    for (_, part) in parts {
        let from = rows.len();
        part(&programs, arguments.number("--samples").unwrap_or(SAMPLES), rows)?;
        rows[from..].iter().for_each(Row::show);
    }
    Ok(())
}
