//! What a run that went wrong says.

use std::fmt;

use crate::Scenario;

/// Which rule was broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// PAGE-1: one writable mapping and then no other, or many readable ones.
    SingleWriter,
    /// Every load returns the latest store.
    Order,
    /// The memory was asked for something its mapping does not allow.
    Mapping,
    /// A thread computed something wrong, or a counter is not exact.
    Result,
    /// Threads are left that nobody will ever wake.
    Stuck,
    /// The run does not come to an end.
    Progress,
    /// A page stayed for a thread that had run (PAGE-2).
    Kept,
    /// An engine refused its input.
    Refused,
    /// Messages and counters do not add up.
    Books,
    /// At the end something is still under way, or copies differ.
    Rest,
}

/// A broken rule, with the way to see it again.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed of the run.
    pub seed: u64,
    /// What the threads did.
    pub scenario: Scenario,
    /// Which rule.
    pub rule: Rule,
    /// What was found.
    pub what: String,
    /// The last events before it, the oldest first.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        let Failure { seed, scenario, rule, what, .. } = self;
        writeln!(f, "seed {seed}, {scenario:?}: {rule:?} broken: {what}")?;
        writeln!(f, "replay: cargo xtask sim --seeds 1 --from {seed}")?;
        write!(
            f,
            "keep: echo '{seed} {scenario:?} # why' >> runtime/sim/seeds/failed.txt, which is replayed by every run"
        )
    }
}

impl std::error::Error for Failure {}

/// A broken rule inside a run.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) rule: Rule,
    pub(crate) what: String,
}

impl Broken {
    pub(crate) fn new(rule: Rule, what: impl Into<String>) -> Broken {
        Broken { rule, what: what.into() }
    }
}

pub(crate) type Checked<T = ()> = Result<T, Broken>;
