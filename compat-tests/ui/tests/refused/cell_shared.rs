//! A `Cell` is not for two threads.

use dstd::cell::Cell;
use dstd::thread;

fn main() {
    let cell = Cell::new(1);
    thread::scope(|scope| {
        scope.spawn(|| cell.set(2));
    });
}
