//! The result of a call comes from another thread.

use dstd::place;
use dstd::rc::Rc;

fn main() {
    place::call(place::here(), || Rc::new(1));
}
