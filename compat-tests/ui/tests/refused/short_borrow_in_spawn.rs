//! A borrow of the spawner's stack, moved into a closure.

use dstd::thread;

fn main() {
    let text = String::from("mine");
    let borrowed = &text;
    thread::spawn(move || borrowed.len());
}
