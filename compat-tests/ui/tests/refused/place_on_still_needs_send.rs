//! Where a thread is placed changes nothing about what it may have.

use dstd::rc::Rc;
use dstd::{place, thread};

fn main() {
    let counted = Rc::new(1);
    place::on(place::here(), || thread::spawn(move || *counted));
}
