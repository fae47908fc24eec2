//! The fault driver: does to this node's memory what the page engine decides.

mod memory;
mod uffd;

pub(crate) use memory::Memory;
pub(crate) use uffd::{Fault, Uffd};
