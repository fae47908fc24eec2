//! Where `spawn` puts a thread when nobody says where.

use std::num::NonZero;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use dstd_addr::{NODES_MAX, NodeId};
use dstd_control::env::Placement;

use crate::context::{self, Context};

/// Threads that have not ended: here, all; on other nodes, those that this node has started.
static LOAD: [AtomicU32; NODES_MAX as usize] = [const { AtomicU32::new(0) }; NODES_MAX as usize];
static TURN: AtomicU32 = AtomicU32::new(0);
static PARALLELISM: AtomicUsize = AtomicUsize::new(0);

/// The node this thread runs on.
pub(crate) fn here() -> NodeId {
    context::me()
}

/// How many nodes the program has.
pub(crate) fn nodes() -> u16 {
    context::nodes()
}

/// How many threads the cluster can run at once.
///
/// # Errors
/// As [`std::thread::available_parallelism`].
pub(crate) fn parallelism() -> std::io::Result<NonZero<usize>> {
    match NonZero::new(PARALLELISM.load(Ordering::Relaxed)) {
        Some(known) => Ok(known),
        None => std::thread::available_parallelism(),
    }
}

/// Boot: the sum over all nodes.
pub(crate) fn set_parallelism(threads: usize) {
    PARALLELISM.store(threads, Ordering::Relaxed);
}

/// A user thread begins on `node`: any on this node, one that this node spawned on another.
pub(crate) fn thread_started(node: NodeId) {
    LOAD[node.index()].fetch_add(1, Ordering::Relaxed);
}

/// It has ended.
pub(crate) fn thread_ended(node: NodeId) {
    LOAD[node.index()].fetch_sub(1, Ordering::Relaxed);
}

/// The node for the next thread, by `--placement`.
pub(crate) fn choose() -> NodeId {
    let Some(context) = context::cluster() else { return NodeId::ZERO };
    by(context, context.config.placement)
}

/// The same, for a thread of whose end this node does not hear: it cannot be counted, so the nodes take turns where
/// the least loaded is asked for.
pub(crate) fn choose_untold() -> NodeId {
    let Some(context) = context::cluster() else { return NodeId::ZERO };
    match context.config.placement {
        Placement::LeastLoaded => by(context, Placement::RoundRobin),
        told => by(context, told),
    }
}

fn by(context: &Context, placement: Placement) -> NodeId {
    let (me, nodes) = (context.me.0, context.layout.nodes());
    let turn = || TURN.fetch_add(1, Ordering::Relaxed);
    match placement {
        Placement::Local => context.me,
        Placement::RoundRobin => NodeId((u32::from(me) + 1 + turn() % u32::from(nodes)) as u16 % nodes),
        Placement::Remote => NodeId((u32::from(me) + 1 + turn() % u32::from(nodes - 1)) as u16 % nodes),
        // This node comes last among equals: `main` counts as a thread, and mostly waits.
        Placement::LeastLoaded => (1..=nodes)
            .map(|step| NodeId((me + step) % nodes))
            .min_by_key(|node| LOAD[node.index()].load(Ordering::Relaxed))
            .unwrap_or(context.me),
    }
}
