//! What this process is: the one ambient value of the runtime.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use dstd_addr::{GlobalAddr, Kind, Layout, NodeId, Slots};
use dstd_control::stats::Stats;

use crate::config::Config;
use crate::node::Queue;

/// The node this process is.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) me: NodeId,
    pub(crate) layout: Layout,
    pub(crate) config: Config,
    pub(crate) stats: &'static Stats,
    /// Whether a launcher reads the statistics, and tells the user what they say.
    pub(crate) launched: bool,
    /// Whether all nodes map each other's memory.
    pub(crate) direct: bool,
    /// Work for the engine thread.
    pub(crate) queue: Queue,
}

static CONTEXT: OnceLock<Context> = OnceLock::new();
/// Whether other nodes exist and everything that serves them is up.
static CLUSTER: AtomicBool = AtomicBool::new(false);
/// Whether this process is a child that a node has forked: it is no node.
static CHILD: AtomicBool = AtomicBool::new(false);
/// Descriptors that keep a connection of the node open, which a child must not.
static CONNECTIONS: OnceLock<Vec<i32>> = OnceLock::new();

/// Makes `context` the one of this process; interposed functions stay as they are.
pub(crate) fn set(context: Context) -> &'static Context {
    CONTEXT.get_or_init(|| context)
}

/// Turns the interposed functions on, when there are other nodes. Everything that serves them is up.
pub(crate) fn publish() {
    // Release: pairs with the acquire in `cluster`; who sees the flag sees the engine's queue.
    CLUSTER.store(nodes() > 1, Ordering::Release);
}

/// Boot: what a forked child closes.
pub(crate) fn set_connections(fds: Vec<i32>) {
    CONNECTIONS.get_or_init(|| fds);
}

/// In the child of a fork: it goes on as a program of its own, which says nothing to the others.
pub(crate) fn forked() {
    if is_child() {
        return;
    }
    CLUSTER.store(false, Ordering::Relaxed);
    CHILD.store(true, Ordering::Relaxed);
    for &fd in CONNECTIONS.get().map_or(&[][..], Vec::as_slice) {
        // SAFETY: the engine, which used it, does not exist in the child.
        unsafe { crate::raw::syscall(libc::SYS_close, [fd as usize, 0, 0, 0, 0, 0]) };
    }
}

/// Whether [`forked`] was called.
pub(crate) fn is_child() -> bool {
    CHILD.load(Ordering::Relaxed)
}

/// The context, when this process is one node of several.
#[inline]
pub(crate) fn cluster() -> Option<&'static Context> {
    if !CLUSTER.load(Ordering::Acquire) {
        return None;
    }
    CONTEXT.get()
}

/// This node's rank; 0 without a launcher.
pub(crate) fn me() -> NodeId {
    CONTEXT.get().map_or(NodeId::ZERO, |context| context.me)
}

/// Whether `addr` is a byte of the cluster's memory, in a node as in its children.
pub(crate) fn is_global(addr: u64) -> bool {
    let global = |context: &Context| context.layout.home(GlobalAddr(addr).page()).is_some();
    (is_child() || cluster().is_some()) && CONTEXT.get().is_some_and(global)
}

/// How many nodes the program has.
pub(crate) fn nodes() -> u16 {
    CONTEXT.get().map_or(1, |context| context.layout.nodes())
}

/// Where everything lies, once that is known.
pub(crate) fn layout() -> Option<&'static Layout> {
    CONTEXT.get().map(|context| &context.layout)
}

/// How native stacks of user threads are cut, in a program of several nodes.
pub(crate) fn slots() -> Option<&'static Slots> {
    layout().map(Layout::slots).filter(|slots| slots.bytes != 0)
}

/// The node's statistics, once there are any.
pub(crate) fn stats() -> Option<&'static Stats> {
    CONTEXT.get().filter(|_| !is_child()).map(|context| context.stats)
}

/// The statistics that a launcher reads, if there is one.
pub(crate) fn launched() -> Option<&'static Stats> {
    CONTEXT.get().filter(|context| context.launched && !is_child()).map(|context| context.stats)
}

/// The home of a global address, when other nodes exist and it is global.
#[inline]
pub(crate) fn home(addr: u64) -> Option<(&'static Context, NodeId)> {
    let context = cluster()?;
    match context.layout.kind(addr) {
        Kind::Heap(node) | Kind::Stack(node) | Kind::Striped(node) | Kind::ThreadLocal(node) => {
            Some((context, node))
        }
        Kind::Static => Some((context, NodeId::ZERO)),
        Kind::Private(_) | Kind::Native(_) | Kind::Unused | Kind::Image => None,
    }
}
