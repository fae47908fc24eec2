//! The conformance suite over links, roomy and tiny.

mod handover;
mod hostile;
mod sleep;

use std::os::unix::net::UnixStream;

use dstd_addr::NodeId;

use super::{LinkEnd, Shm, ShmWire, Sizes, accept, offer};
use crate::Limits;
use crate::conformance::{Fabric, Scale, StreamFabric};
use crate::mesh::connect_all;

/// Links within one process.
struct Links {
    sizes: Sizes,
    scale: Scale,
}

impl Fabric for Links {
    type Node = Shm;

    fn mesh(&self, nodes: u16, limits: Limits) -> Vec<Shm> {
        mesh(nodes, limits, || LinkEnd::pair(self.sizes).unwrap())
    }

    fn scale(&self) -> Scale {
        self.scale
    }
}

impl StreamFabric for Links {
    type Raw = ShmWire;

    fn raw(&self, limits: Limits) -> (Shm, ShmWire) {
        let (one, two) = LinkEnd::pair(self.sizes).unwrap();
        let node = Shm::with_limits(NodeId(0), vec![None, Some(one)], limits).unwrap();
        (node, ShmWire::over(two.into_link().unwrap().into()))
    }
}

fn mesh(nodes: u16, limits: Limits, pair: impl FnMut() -> (LinkEnd, LinkEnd)) -> Vec<Shm> {
    let links = connect_all(nodes, pair).into_iter().zip(0..);
    links.map(|(links, rank)| Shm::with_limits(NodeId(rank), links, limits).unwrap()).collect()
}

fn roomy() -> Links {
    Links { sizes: Sizes::default(), scale: Scale::default() }
}

/// Tiny links move little per round, so the tests send less through them.
fn tiny(slots: u32, bulk_bytes: u32) -> Links {
    let scale = Scale { body_bytes_max: 20_000, bulk_bytes: 100_000, frames: 300 };
    Links { sizes: Sizes { slots, bulk_bytes }, scale }
}

/// Links whose second end came through a socket, as between processes.
struct HandedOver;

impl Fabric for HandedOver {
    type Node = Shm;

    fn mesh(&self, nodes: u16, limits: Limits) -> Vec<Shm> {
        mesh(nodes, limits, || {
            let (here, there) = UnixStream::pair().unwrap();
            (offer(&here, Sizes::default()).unwrap(), accept(&there).unwrap())
        })
    }
    fn scale(&self) -> Scale {
        Scale { body_bytes_max: 2 << 20, bulk_bytes: 8 << 20, frames: 500 }
    }
}

crate::conformance_suite!(roomy_links, roomy());
crate::conformance_suite!(handed_over, HandedOver);
crate::conformance_suite!(one_slot, tiny(1, 64));
crate::conformance_suite!(one_slot_large_bulk, tiny(1, 1 << 20));
crate::conformance_suite!(many_slots_tiny_bulk, tiny(1024, 64));
crate::conformance_suite!(few_slots_small_bulk, tiny(4, 4096));
crate::conformance_stream_suite!(roomy_stream, roomy());
crate::conformance_stream_suite!(one_slot_stream, tiny(1, 64));
crate::conformance_descriptor_suite!(roomy_descriptors, roomy());
crate::conformance_descriptor_suite!(one_slot_descriptors, tiny(1, 64));
