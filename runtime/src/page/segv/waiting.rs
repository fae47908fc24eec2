//! Threads that wait in the handler of `SIGSEGV` for the engine.

use std::sync::OnceLock;

use dstd_addr::Kind;

use super::super::faults::{At, Fault};
use super::arrivals::{Arrivals, Waiting};
use crate::context::Context;
use crate::{raw, stack};

struct Service {
    context: &'static Context,
    arrivals: Arrivals,
    /// Whether pages are served, and not strays only.
    pages: bool,
}

static SERVICE: OnceLock<Service> = OnceLock::new();

/// Boot: from now on, touches of global memory that fail are passed to the engine; without `pages` only those of
/// memory that is private to another node.
pub(crate) fn serve_by_signal(context: &'static Context, pages: bool) {
    SERVICE.get_or_init(|| Service { context, arrivals: Arrivals::new(), pages });
}

/// Whether pages are served by signals in this process.
pub(crate) fn by_signal() -> bool {
    SERVICE.get().is_some_and(|service| service.pages)
}

/// In the handler of `SIGSEGV`, all signals blocked: waits for the page at `address`, or returns false when the engine
/// has nothing to do with it. `at` is where it was touched.
pub(crate) fn serve_signal(address: u64, write: bool, at: At) -> bool {
    let Some(service) = SERVICE.get() else { return false };
    let ours = match service.context.layout.kind(address) {
        Kind::Stack(owner) if owner == service.context.me => service.pages && !stack::is_guard(address),
        Kind::Heap(_) | Kind::Stack(_) | Kind::Striped(_) | Kind::ThreadLocal(_) | Kind::Static => {
            service.pages
        }
        Kind::Native(owner) | Kind::Private(owner) => owner != service.context.me,
        Kind::Unused | Kind::Image => false,
    };
    if ours {
        let fault = Fault { address, write, thread: raw::thread(), at: Some(at) };
        service.arrivals.wait(fault, || service.context.queue.wake());
    }
    ours
}

/// Engine: whether there is something to take.
pub(super) fn has_arrived() -> bool {
    SERVICE.get().is_some_and(|service| !service.arrivals.is_empty())
}

/// Engine: takes all threads that have arrived, the first one first.
pub(super) fn take(into: &mut Vec<Waiting>) {
    if let Some(service) = SERVICE.get() {
        service.arrivals.take(into);
    }
}
