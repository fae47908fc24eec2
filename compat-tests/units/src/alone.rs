//! Real std: there is no network.

use std::thread;

use crate::unit::Unit;

/// Where units run.
pub(crate) struct Ground;

impl Ground {
    /// There is nobody to steal anything.
    pub(crate) fn new(_steal: bool) -> Ground {
        Ground
    }

    /// Runs it on a thread of its own; how it ended, and what it sent.
    pub(crate) fn run(&mut self, unit: &Unit) -> (thread::Result<Result<(), String>>, u64) {
        let thread = thread::Builder::new().name(unit.name.clone());
        (thread.spawn(unit.body).map_or_else(|error| Ok(Err(error.to_string())), |thread| thread.join()), 0)
    }
}
