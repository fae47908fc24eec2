//! Shipping closures: `spawn` and `call` on other nodes.
//!
//! SHIP-1: every node runs the same binary at the same addresses, so a function pointer means
//! the same everywhere. SHIP-2: a closure's bytes are sent once, over a connection that delivers
//! once, and are run by whoever receives them; nothing is ever sent again.
//!
//! | step | message | from | to |
//! |---|---|---|---|
//! | spawn | `Spawn` with the closure's bytes | spawner | target |
//! | the OS thread exists | `Spawned` | target | spawner |
//! | its thread-locals are dropped | `Ended` with the result's bytes | target | spawner |
//! | joined or detached | `Detach` | spawner | target |
//!
//! System calls on descriptors go the same way (`Descriptor`, answered by `Ended`), to service threads instead of user threads.

mod call;
mod environment;
mod idle;
mod job;
mod op;
mod placement;
mod remote;
mod service;
mod spawner;
mod wire;

pub(crate) use call::{Work, call, hand_over};
pub(crate) use environment::change as change_environment;
pub(crate) use job::Job;
pub(crate) use op::{Op, Task};
pub(crate) use placement::{choose, choose_untold, here, nodes, parallelism};
pub(crate) use placement::{set_parallelism, thread_ended, thread_started};
pub(crate) use remote::{Remote, spawn};
pub(crate) use service::give as give_call;
pub(crate) use spawner::{Arrived, start as start_spawner};

use core::sync::atomic::{AtomicU64, Ordering};

/// A number that no other shipped work or futex call in the cluster has.
pub(crate) fn fresh_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    u64::from(here().0) << 48 | NEXT.fetch_add(1, Ordering::Relaxed)
}
