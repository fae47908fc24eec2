//! The result of a call comes from another thread.

use std::place;
use std::rc::Rc;

fn main() {
    place::call(place::here(), || Rc::new(1));
}
