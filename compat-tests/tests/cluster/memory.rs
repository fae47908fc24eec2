//! Memory that goes back to the system, and what is larger than one node's heap.

use crate::harness::{direct, everywhere, scenario};

#[test]
fn small_heaps_give_memory_back_all_the_time() {
    for nodes in [1, 3] {
        for run in [scenario(nodes, "memory_reused"), direct(nodes, "memory_reused")] {
            run.option("--heap").option("128M").finish().ok("memory_reused");
        }
    }
}

#[test]
fn remote_frees_do_not_wait_for_more() {
    for (_, run) in everywhere("idle_frees") {
        run.finish().ok("idle_frees");
    }
}
