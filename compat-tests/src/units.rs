//! Units whose fates are known: is the harness of std's suites right about them?
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::process;
use std::thread::sleep;
use std::time::Duration;

use compat_units::{Body, Panics, Unit};
use dstd::thread;

fn main() {
    let unit = |name: &str, panics, body: Body| Unit { name: name.to_owned(), ignored: false, panics, body };
    compat_units::run(&[
        unit("fates::nothing", Panics::No, || Ok(())),
        unit("fates::error", Panics::No, || Err("no".to_owned())),
        unit("fates::panic", Panics::No, || panic!("{}", "oh")),
        unit("fates::wanted_panic", Panics::With("h"), || panic!("oh")),
        unit("fates::allocates", Panics::No, || {
            let words: Vec<Box<u64>> = (0..8).map(|n| Box::new(black_box(n))).collect();
            if words.iter().map(|word| **word).sum::<u64>() == 28 { Ok(()) } else { Err("lost".to_owned()) }
        }),
        unit("fates::grows", Panics::No, || {
            let mut numbers = Vec::new();
            (0..20_000_u64).for_each(|n| numbers.push(black_box(n)));
            if numbers.iter().zip(0..).all(|(number, n)| *number == n) {
                Ok(())
            } else {
                Err("torn".to_owned())
            }
        }),
        unit("fates::spawns", Panics::No, || thread::spawn(|| ()).join().map_err(|_| "panicked".to_owned())),
        Unit { ignored: true, ..unit("fates::ignored", Panics::No, || Ok(())) },
        unit("fates::dies", Panics::No, || process::exit(3)),
        unit("fates::hangs", Panics::No, || {
            loop {
                sleep(Duration::from_secs(3600));
            }
        }),
    ]);
}
