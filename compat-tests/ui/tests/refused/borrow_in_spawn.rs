//! A closure that borrows from the spawner's stack, which may end before the thread.

use dstd::thread;

fn main() {
    let text = String::from("mine");
    thread::spawn(|| text.len());
}
