//! Pages stay beyond their residence for threads that need them, and not until patience ends (PAGE-2).

use crate::Scenario;
use crate::failure::{Broken, Checked, Rule};
use crate::world::World;

/// Patience that lasts longer than any thread of a run waits for a page or a processor.
const PATIENCE_NS_MIN: u64 = 5_000_000;

pub(crate) fn check(world: &World) -> Checked {
    // Where every thread wants all pages at once, some wait longer.
    if world.scenario() != Scenario::Straddle {
        return Ok(());
    }
    for (engine, node) in world.pages.iter().zip(&world.nodes) {
        let ends = engine.counters().patience_ends;
        if ends > 0 && engine.patience_ns() >= PATIENCE_NS_MIN {
            let what = format!("node {} kept pages {ends} times until its patience ended", node.me);
            return Err(Broken::new(Rule::Kept, what));
        }
    }
    Ok(())
}
