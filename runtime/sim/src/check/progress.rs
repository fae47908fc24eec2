//! Every run ends, and with it every thread: no lost wake-up, no deadlock, no endless fault.

use crate::failure::{Broken, Checked, Rule};
use crate::world::World;

/// How often one access may fault before it counts as starved (PAGE-2).
pub(crate) const FAULTS_MAX: u32 = 2_000;

/// The run has taken `steps` steps so far.
pub(crate) fn ends(steps: u64, steps_max: u64) -> Checked {
    if steps <= steps_max {
        return Ok(());
    }
    Err(Broken::new(Rule::Progress, format!("not at its end after {steps_max} steps")))
}

/// An access has faulted `faults` times in a row.
pub(crate) fn retires(thread: usize, faults: u32) -> Checked {
    if faults <= FAULTS_MAX {
        return Ok(());
    }
    Err(Broken::new(Rule::Progress, format!("an access of thread {thread} faulted {FAULTS_MAX} times")))
}

/// Nothing is going to happen any more: every thread must have finished.
pub(crate) fn all_finished(world: &World) -> Checked {
    let left: Vec<String> =
        world.threads.iter().enumerate().filter_map(|(number, thread)| thread.unfinished(number)).collect();
    if left.is_empty() { Ok(()) } else { Err(Broken::new(Rule::Stuck, left.join("; "))) }
}
