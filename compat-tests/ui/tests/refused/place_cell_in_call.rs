//! A call runs on another thread: a `Cell` is not for two.

use dstd::cell::Cell;
use dstd::place;

fn main() {
    let cell = Cell::new(1);
    place::call(place::here(), || cell.set(2));
}
