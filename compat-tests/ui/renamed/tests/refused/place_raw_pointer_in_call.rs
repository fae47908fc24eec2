//! Nobody knows what a raw pointer points to.

use std::place;

fn main() {
    let mut number = 1;
    let pointer = &raw mut number;
    place::call(place::here(), move || {
        let pointer = pointer;
        pointer.is_null()
    });
}
