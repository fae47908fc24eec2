//! `Apart` shares what may be shared.

use std::cell::Cell;
use std::place::Apart;
use std::thread;

fn main() {
    let cell = Apart::from(Cell::new(1));
    thread::scope(|scope| {
        scope.spawn(|| cell.set(2));
    });
}
