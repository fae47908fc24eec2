//! What building costs with dstd, beside std: a hello world whose import is swapped.
//!
//! | part | rows |
//! |---|---|
//! | `incremental` | `cargo build` after one line of the program was changed, over the same with std |
//! | `clean` | seconds of `cargo build` in an empty target directory |
//! | `crates` | the crates that a program with dstd is built from, exact |
//!
//! A program is a package of its own in the target directory, as users have it: cargo's own profiles, incremental
//! compilation where these want it, nothing but the dependency in Cargo.toml. Nothing is downloaded while a clock runs. What
//! was built is run each time, and must say the line that was changed, by itself and on two nodes: a program that was linked
//! without the script for shared statics refuses these.

mod crates;
mod hello;

use crate::arguments::Arguments;
use crate::cargo;
use crate::row::Row;
use crate::samples::Samples;
use crate::units::facade::Facade;
use crate::verdict::{Verdict, cannot};
use hello::{Hello, PROFILES, Profile};

/// Measures one part with so many samples.
type Part = fn(&[Hello], u64, &mut Vec<Row>) -> Verdict;

const PARTS: &[(&str, Part)] = &[("incremental", incremental), ("clean", clean), ("crates", count)];
const SAMPLES: u64 = 15;
/// One clean build takes as long as fifty others.
const CLEAN_SAMPLES: u64 = 3;
const INCREMENTAL_OVER_STD: f64 = 1.3;
const CLEAN_SECONDS: f64 = 40.0;

/// Measures the part that was asked for, or all.
pub(crate) fn run(arguments: &Arguments, rows: &mut Vec<Row>) -> Verdict {
    let wanted = arguments.part.as_deref();
    let parts: Vec<_> =
        PARTS.iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name)).collect();
    if parts.is_empty() {
        return cannot(format!("bench build has no part {}", wanted.unwrap_or_default()));
    }
    let launcher = cargo::build_release(&["dstd-launch"])?.join("dstd-launch");
    let programs = Facade::ALL.map(|facade| Hello::new(facade, &launcher));
    let programs = programs.into_iter().collect::<Verdict<Vec<_>>>()?;
    for (_, part) in parts {
        let from = rows.len();
        part(&programs, arguments.number("--samples").unwrap_or(SAMPLES), rows)?;
        rows[from..].iter().for_each(Row::show);
    }
    Ok(())
}

/// The programs in the order of a turn: every other time the other way round.
fn in_turn(programs: &[Hello], turn: u64) -> Vec<&Hello> {
    let mut order: Vec<&Hello> = programs.iter().collect();
    if !turn.is_multiple_of(2) {
        order.reverse();
    }
    order
}

/// The seconds that each program takes in one turn, in the order of [`Facade::ALL`].
fn seconds(
    programs: &[Hello],
    turn: u64,
    one: impl Fn(&Hello) -> Verdict<f64>,
) -> Verdict<[f64; Facade::ALL.len()]> {
    let mut seconds = [f64::NAN; Facade::ALL.len()];
    for program in in_turn(programs, turn) {
        let taken = one(program)?;
        let place = seconds.iter_mut().zip(Facade::ALL).find(|(_, facade)| *facade == program.facade());
        place.into_iter().for_each(|(seconds, _)| *seconds = taken);
    }
    Ok(seconds)
}

/// `cargo build` after one line was changed.
fn incremental(programs: &[Hello], samples: u64, rows: &mut Vec<Row>) -> Verdict {
    let mut all = Samples::default();
    for profile in PROFILES {
        for program in programs {
            program.changed(profile)?;
        }
        for turn in 0..samples {
            let [on_std, swapped @ ..] = seconds(programs, turn, |program| program.changed(profile))?;
            all.add(profile.name, 1e3 * on_std);
            for (facade, swapped) in Facade::OURS.into_iter().zip(swapped) {
                all.add(incremental_row(facade, profile), swapped / on_std);
            }
        }
        for facade in Facade::OURS {
            let row = all.row(&incremental_row(facade, profile), "", "cargo xtask bench build incremental");
            rows.push(row.beside("ms on std", all.median(profile.name)).target("<=", INCREMENTAL_OVER_STD));
        }
    }
    Ok(())
}

fn incremental_row(facade: Facade, profile: Profile) -> String {
    format!("build.incremental.{}.{}", profile.name, facade.name())
}

/// `cargo build` in an empty target directory.
fn clean(programs: &[Hello], samples: u64, rows: &mut Vec<Row>) -> Verdict {
    let mut all = Samples::default();
    let row = |facade: Facade, profile: Profile| format!("build.clean.{}.{}", profile.name, facade.name());
    for profile in PROFILES {
        for turn in 0..samples.min(CLEAN_SAMPLES) {
            let seconds = seconds(programs, turn, |program| program.clean(profile))?;
            for (facade, seconds) in Facade::ALL.into_iter().zip(seconds) {
                all.add(row(facade, profile), seconds);
            }
        }
        for facade in Facade::OURS {
            let on_std = all.median(&row(Facade::Std, profile));
            let row = all.row(&row(facade, profile), "s", "cargo xtask bench build clean");
            rows.push(row.beside("s on std", on_std).target("<=", CLEAN_SECONDS));
        }
    }
    Ok(())
}

/// How many crates each program is built from.
fn count(programs: &[Hello], _samples: u64, rows: &mut Vec<Row>) -> Verdict {
    for program in programs.iter().filter(|program| program.facade() != Facade::Std) {
        let crates = crates::of(program.directory())?;
        let name = format!("build.crates.{}", program.facade().name());
        println!("{name}: {}", crates.join(", "));
        let row = Row::new(name, crates.len() as f64, "crates", "cargo xtask bench build crates");
        rows.push(row.target("<=", crates::MOST as f64));
    }
    Ok(())
}
