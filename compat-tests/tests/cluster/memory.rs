//! Memory that goes back to the system, and what is larger than one node's heap.

use crate::harness::{Run, direct, everywhere, scenario};

/// On three nodes, in a domain and with each way of page faults.
fn in_every_way(name: &'static str) -> impl Iterator<Item = Run> {
    let ways = ["user", "signal"].map(|way| scenario(3, name).variable("DSTD_FAULTS", way));
    [scenario(3, name), direct(3, name)].into_iter().chain(ways)
}

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

/// Three heaps of 28 MiB hold a vector of 60 MiB, and not two.
#[test]
fn a_vector_may_be_larger_than_a_heap() {
    for run in in_every_way("striped_sort") {
        run.option("--heap").option("28M").finish().ok("striped_sort");
    }
}

#[test]
fn large_vectors_grow_shrink_and_go() {
    for run in in_every_way("striped_grow") {
        run.option("--heap").option("64M").finish().ok("striped_grow");
    }
}

#[test]
fn what_was_freed_is_there_at_once() {
    for run in in_every_way("striped_after_frees") {
        run.option("--heap").option("64M").finish().ok("striped_after_frees");
    }
}

#[test]
fn children_of_fork_have_large_vectors_too() {
    for run in in_every_way("fork_striped") {
        run.option("--heap").option("28M").finish().ok("fork_striped");
    }
}

#[test]
fn stacks_and_small_blocks_go_back_too() {
    for (_, run) in everywhere("small_returned") {
        run.finish().ok("small_returned");
    }
}
