//! Seeded simulation of the dstd protocols.
//!
//! A run is a small program: two to four nodes, each with a page engine and a futex engine over
//! a model memory, and threads that load, store, lock and wait. Time, delays, and the order of
//! everything come from the seed, so a run can be seen again. Checkers watch it: PAGE-1 on the
//! mappings, sequential consistency of every access, exact counters, no thread left behind,
//! books that add up, and rest at the end.
//!
//! The simulated driver keeps the contract of the real one: outputs are carried out in order,
//! nothing enters an engine before that, and the messages of a step leave after all of its
//! outputs. Between two outputs anything may happen elsewhere.
#![forbid(unsafe_code)]

mod check;
mod cpu;
mod failure;
mod kept;
mod memory;
mod network;
mod program;
mod rng;
mod sabotage;
mod world;

use std::collections::BTreeMap;

pub use dstd_protocol::MessageKind;
pub use dstd_protocol::page::Counters;
pub use failure::{Failure, Rule};
pub use kept::failed_once;
pub use program::Scenario;
pub use sabotage::Sabotage;

use failure::Broken;
use world::World;

/// What a run should be like beyond what its seed decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// What the threads do; the seed decides when it is `None`.
    pub scenario: Option<Scenario>,
    /// A mistake to make, so that a checker finds it.
    pub sabotage: Option<Sabotage>,
    /// After how many steps a run counts as endless.
    pub steps_max: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { scenario: None, sabotage: None, steps_max: 2_000_000 }
    }
}

/// What a run that went well was like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// The seed of the run.
    pub seed: u64,
    /// What the threads did.
    pub scenario: Scenario,
    /// How many nodes there were.
    pub nodes: u16,
    /// The minimum residence of pages.
    pub residence_ns: u64,
    /// How many events happened.
    pub steps: u64,
    /// How long it took on the simulated clock.
    pub simulated_ns: u64,
    /// Loads that retired.
    pub loads: u64,
    /// Stores and atomic changes that retired.
    pub stores: u64,
    /// Fault events the page engines were given.
    pub faults: u64,
    /// The most faults that one access took until it retired.
    pub worst_access: u32,
    /// How many instructions over two pages retired, by the number of pages or rights to them
    /// that had to come meanwhile.
    pub straddles: BTreeMap<u32, u64>,
    /// Messages sent, by [`MessageKind`] in wire order.
    pub sent: [u64; MessageKind::ALL.len()],
    /// What the page engines counted, over all nodes.
    pub pages: Counters,
    /// Futex cancels that reached the home after a wake had chosen the waiter.
    pub late_cancels: u64,
    /// Futex cancels that crossed a wake between a thread and its engine.
    pub crossed_cancels: u64,
}

/// Runs the simulation of `seed`. The same seed and options always give the same result.
///
/// # Errors
/// The first rule that was broken, with the events that led to it.
pub fn run(seed: u64, options: Options) -> Result<Summary, Failure> {
    if let Ok(summary) = World::new(seed, options, false).run() {
        return Ok(summary);
    }
    // Once more, now with its events written down.
    let mut world = World::new(seed, options, true);
    let result = world.run();
    let scenario = world.scenario();
    result.map_err(|Broken { rule, what }| Failure { seed, scenario, rule, what, trace: world.into_trace() })
}
