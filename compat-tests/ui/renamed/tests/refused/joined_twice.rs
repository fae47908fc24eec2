//! A thread is joined once.

use std::thread;

fn main() {
    let handle = thread::spawn(|| 1);
    let _ = handle.join();
    let _ = handle.join();
}
