//! A closure that borrows from the spawner's stack, on a node that is named.

use dstd::place;

fn main() {
    let text = String::from("mine");
    place::spawn_on(place::here(), || text.len());
}
