//! Nobody knows what a raw pointer points to.

use dstd::thread;

fn main() {
    let mut number = 1;
    let pointer = &raw mut number;
    thread::spawn(move || {
        let pointer = pointer;
        pointer.is_null()
    });
}
