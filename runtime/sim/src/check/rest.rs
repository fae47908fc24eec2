//! At the end of a run everything is at rest, engines and hardware agree, copies are equal.

use std::collections::BTreeSet;

use dstd_protocol::invariants;

use super::single_writer::local;
use crate::failure::{Broken, Checked, Rule};
use crate::memory::{Mapping, WORDS, word};
use crate::world::World;

pub(crate) fn check(world: &mut World) -> Checked {
    let broken = |what: String| Err(Broken::new(Rule::Rest, what));
    for (engine, node) in world.pages.iter().zip(&world.nodes) {
        if !engine.is_idle() {
            return broken(format!("the page engine of node {} is not idle", node.me));
        }
        if !node.futex.is_idle() {
            return broken(format!("the futex engine of node {} is not idle", node.me));
        }
        if !node.kernel.is_empty() {
            return broken(format!("threads sleep in the kernel of node {}", node.me));
        }
    }
    let touched = world.pages.iter().flat_map(|engine| engine.touched());
    let touched: BTreeSet<_> =
        touched.chain(world.nodes.iter().flat_map(|node| node.memory.touched())).collect();
    for page in touched {
        if let Err(found) = invariants::page_holds(&world.pages, page, true) {
            return broken(found.to_string());
        }
        let mut copies = 0;
        for (engine, node) in world.pages.iter().zip(&mut world.nodes) {
            let mapping = node.memory.mapping(page);
            if engine.local(page) != local(mapping) {
                return broken(format!("node {} has {page:?} {mapping:?}, its engine differs", node.me));
            }
            if mapping == Mapping::Absent {
                continue;
            }
            copies += 1;
            let image = node.memory.image(page)?;
            let latest: [u64; WORDS] = std::array::from_fn(|index| world.order.latest(word(page, index)));
            if image != latest {
                return broken(format!("node {} keeps {image:?} of {page:?}, not {latest:?}", node.me));
            }
        }
        if copies == 0 {
            return broken(format!("nobody has {page:?}"));
        }
    }
    Ok(())
}
