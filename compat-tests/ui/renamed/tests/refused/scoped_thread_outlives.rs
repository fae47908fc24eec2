//! A thread of a scope does not leave it.

use std::thread;

fn main() {
    let handle;
    {
        let text = String::from("mine");
        handle = thread::scope(|scope| scope.spawn(|| text.len()));
    }
    let _ = handle.join();
}
