//! What `#[test]` makes of a function, as a unit: the one place that names libtest's types.
#![feature(test)]

extern crate test;

use compat_units::{Panics, Unit};
use test::{ShouldPanic, StaticTestFn, TestDescAndFn};

/// Runs the tests of a crate in the place of libtest's `main`. Benchmarks are none.
pub fn run(tests: &[&TestDescAndFn]) {
    let units: Vec<Unit> = tests.iter().filter_map(|test| unit(test)).collect();
    compat_units::run(&units);
}

fn unit(test: &TestDescAndFn) -> Option<Unit> {
    let StaticTestFn(body) = test.testfn else { return None };
    let panics = match test.desc.should_panic {
        ShouldPanic::No => Panics::No,
        ShouldPanic::Yes => Panics::Yes,
        ShouldPanic::YesWithMessage(part) => Panics::With(part),
    };
    Some(Unit { name: test.desc.name.as_slice().to_owned(), ignored: test.desc.ignore, panics, body })
}
