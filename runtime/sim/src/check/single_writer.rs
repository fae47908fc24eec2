//! PAGE-1, about the hardware: what the mappings of all nodes let threads do.

use dstd_addr::{NodeId, PageNo};
use dstd_protocol::invariants;
use dstd_protocol::page::Local;

use crate::failure::{Broken, Checked, Rule};
use crate::memory::{Mapping, Memory};

/// The engine's word for a mapping.
pub(crate) fn local(mapping: Mapping) -> Local {
    match mapping {
        Mapping::Absent => Local::Absent,
        Mapping::ReadOnly => Local::ReadOnly,
        Mapping::Writable => Local::Writable,
    }
}

/// At most one node can write `page`, and then no other can read it.
pub(crate) fn check<'a>(page: PageNo, memories: impl Iterator<Item = &'a Memory> + Clone) -> Checked {
    let locals = (0..).map(NodeId).zip(memories.map(|memory| local(memory.mapping(page))));
    invariants::single_writer(page, locals)
        .map_err(|broken| Broken::new(Rule::SingleWriter, broken.to_string()))
}
