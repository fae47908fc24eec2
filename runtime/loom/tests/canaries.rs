//! The models notice what is broken: each fails with at least one kind of broken atomics.
#![cfg(loom)]

use std::env;
use std::process::Command;

use dstd_loom::primitive::{Sabotage, sabotage};
use dstd_loom::{heap, node, page, ship, shm, waiting};

/// A model, and what it must notice.
type Canary = (&'static str, fn(), &'static [Sabotage]);

const CANARIES: &[Canary] = &[
    ("stack", heap::stack, &[Sabotage::NoAcquire, Sabotage::NoRelease]),
    ("lock", heap::lock, &[Sabotage::NoAcquire, Sabotage::NoRelease]),
    ("runs", heap::runs, &[Sabotage::NoAcquire, Sabotage::NoRelease]),
    ("runs_impatient", heap::runs_impatient, &[Sabotage::NoAcquire, Sabotage::NoRelease]),
    (
        "queue",
        node::queue,
        &[Sabotage::NoFences, Sabotage::WeakFences, Sabotage::NoAcquire, Sabotage::NoRelease],
    ),
    (
        "wait",
        waiting::wait,
        &[Sabotage::NoFences, Sabotage::WeakFences, Sabotage::NoAcquire, Sabotage::NoRelease],
    ),
    (
        "hand_over",
        ship::hand_over,
        &[Sabotage::NoFences, Sabotage::WeakFences, Sabotage::NoAcquire, Sabotage::NoRelease],
    ),
    ("give_up", ship::give_up, &[Sabotage::NoAcquire, Sabotage::NoRelease]),
    ("arrivals", page::arrivals, &[Sabotage::NoAcquire, Sabotage::NoRelease]),
    ("ring", shm::ring, &[Sabotage::NoFences, Sabotage::WeakFences]),
    ("bulk", shm::bulk, &[Sabotage::NoAcquire, Sabotage::NoRelease]),
    ("leaving", shm::leaving, &[Sabotage::NoAcquire, Sabotage::NoRelease]),
];

const MODEL: &str = "DSTD_CANARY_MODEL";
const SABOTAGE: &str = "DSTD_CANARY_SABOTAGE";

/// A model that fails may take its process with it, so each has one.
#[test]
fn every_model_notices_what_it_is_for() {
    let mut unnoticed = Vec::new();
    for (name, _, noticed) in CANARIES {
        for how in *noticed {
            let how = format!("{how:?}");
            let mut command = Command::new(env::current_exe().expect("this program"));
            command.args(["--exact", "broken", "--nocapture"]).env(MODEL, name).env(SABOTAGE, &how);
            let output = command.output().expect("it runs");
            let said = String::from_utf8_lossy(&output.stderr);
            let words = said.lines().find(|line| !line.is_empty()).unwrap_or_default();
            println!("{name}, {how}: {} {words}", output.status);
            if output.status.success() {
                unnoticed.push(format!("{name}, {how}"));
            }
        }
    }
    assert!(unnoticed.is_empty(), "nothing was found: {unnoticed:?}");
}

/// The child: nothing without the variables.
#[test]
fn broken() {
    let (Ok(model), Ok(how)) = (env::var(MODEL), env::var(SABOTAGE)) else { return };
    let how = Sabotage::ALL.into_iter().find(|sabotage| format!("{sabotage:?}") == how);
    sabotage(how.expect("one of the above"));
    let (_, run, _) = CANARIES.iter().find(|(name, ..)| *name == model).expect("one of the above");
    run();
}
