//! `Apart` shares what may be shared.

use dstd::cell::Cell;
use dstd::place::Apart;
use dstd::thread;

fn main() {
    let cell = Apart::from(Cell::new(1));
    thread::scope(|scope| {
        scope.spawn(|| cell.set(2));
    });
}
