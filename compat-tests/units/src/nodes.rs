//! A program of nodes: a unit runs on node 0 and what it starts is placed by the launcher, or it runs on node 1 while
//! node 2 takes its memory.

use std::panic::catch_unwind;

use dstd::place::{self, NodeId};
use dstd::thread;

use crate::counters::Counters;
use crate::thief::Thief;
use crate::unit::{Body, Unit};

/// Where a unit runs that is not stolen from.
const HERE: NodeId = NodeId(0);
/// Where one runs that is.
const ROBBED: NodeId = NodeId(1);

/// How a body ended.
type Ended = thread::Result<Result<(), String>>;

/// Where units run.
pub(crate) struct Ground {
    thief: Option<&'static Thief>,
}

impl Ground {
    /// With `steal` node 2 takes the memory of what runs; the program must have so many nodes.
    pub(crate) fn new(steal: bool) -> Ground {
        let thief = steal.then(Thief::start);
        if let Some(thief) = thief {
            // Whatever keeps it from stealing is known before any unit is charged with it.
            drop(on(ROBBED, "trial", || thief.robs(|| ())));
        }
        Ground { thief }
    }

    /// Runs it on a thread of its own; how it ended, and how often it used the network.
    pub(crate) fn run(&mut self, unit: &Unit) -> (Ended, u64) {
        let body = unit.body;
        let Some(thief) = self.thief else {
            let before = Counters::now();
            let ended = on(HERE, &unit.name, body).unwrap_or_else(refused);
            return (ended, Counters::now().since(before));
        };
        match on(ROBBED, &unit.name, move || robbed(thief, body)) {
            Ok(Ok(ended)) => ended,
            // The body's own panics have been caught.
            Ok(Err(_)) => (Ok(Err("panicked outside of its body".to_owned())), 0),
            Err(error) => (refused(error), 0),
        }
    }
}

/// The body alone lies between the two looks at the counters: what it takes to get here, and back, is not its own.
fn robbed(thief: &'static Thief, body: Body) -> (Ended, u64) {
    thief.robs(|| {
        let before = Counters::now();
        let ended = catch_unwind(body);
        (ended, Counters::now().since(before))
    })
}

/// Runs `f` on a thread of `node`, as a test harness does: it has the unit's name.
fn on<T: Send + 'static>(
    node: NodeId,
    name: &str,
    f: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<thread::Result<T>> {
    let thread = thread::Builder::new().name(name.to_owned());
    Ok(place::on(node, || thread.spawn(f))?.join())
}

fn refused(error: std::io::Error) -> Ended {
    Ok(Err(error.to_string()))
}
