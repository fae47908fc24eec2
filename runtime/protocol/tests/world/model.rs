//! Every page has one word; threads read and write it through faults. Checked in every state:
//! the promises of `dstd_protocol::invariants`, that each read sees the last write, that outputs
//! can be carried out; and in every state in which nothing can happen any more: that all
//! threads have finished and the directory says exactly who holds what.

use dstd_addr::{GlobalAddr, Layout, NodeId, PageNo};
use stateright::{Checker, Model, Property};

use super::{Action, Setup, World};

struct Program(Setup);

impl Model for Program {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.0)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        actions.extend(world.actions(&self.0));
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut world = world.clone();
        world.act(&self.0, action);
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("promises hold", |_, world: &World| world.broken.is_none()),
            Property::always("all threads finish", |model: &Program, world: &World| {
                let setup = &model.0;
                !world.actions(setup).is_empty() || (world.finished(setup) && world.check(true).is_ok())
            }),
            Property::sometimes("the end is reached", |model: &Program, world: &World| {
                world.finished(&model.0)
            }),
        ]
    }
}

/// Page `index` of `node`'s heap.
pub fn page(node: u16, index: u64) -> PageNo {
    GlobalAddr(Layout::heap(NodeId(node)).start).page().plus(index)
}

fn explore(name: &str, setup: Setup) {
    let checker = Program(setup).checker().threads(2).spawn_bfs().join();
    println!("{name}: {} states, depth {}", checker.unique_state_count(), checker.max_depth());
    for (property, path) in checker.discoveries() {
        if property != "the end is reached" {
            let last = path.last_state().clone();
            panic!("{name}, {property}: {:?}\n{:#?}\nafter {:#?}", last.broken, last, path.into_actions());
        }
    }
    checker.assert_properties();
}

/// For programs that have too many states where pages stay for threads.
pub fn without_residence(name: &str, setup: &Setup) {
    explore(&format!("{name}, residence 0"), Setup { residence_ns: 0, ..setup.clone() });
}

pub fn both_residences(name: &str, setup: &Setup) {
    for residence_ns in [0, 1] {
        explore(&format!("{name}, residence {residence_ns}"), Setup { residence_ns, ..setup.clone() });
    }
}
