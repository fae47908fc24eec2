//! Counts of `Rc` are not for two threads, whichever the node.

use std::place;
use std::rc::Rc;

fn main() {
    let counted = Rc::new(1);
    place::spawn_on(place::here(), move || *counted);
}
