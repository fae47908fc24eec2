//! The fault driver: does to this node's memory what the page engine decides.

mod faults;
mod fresh;
mod memory;
pub(crate) mod moved;
mod runs;
mod segv;
mod uffd;

pub(crate) use faults::{At, Fault, Faults};
pub(crate) use memory::Memory;
pub(crate) use runs::Runs;
pub(crate) use segv::{Segv, by_signal, serve_by_signal, serve_signal};
pub(crate) use uffd::Uffd;
