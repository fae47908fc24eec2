//! A thread is joined once.

use dstd::thread;

fn main() {
    let handle = thread::spawn(|| 1);
    let _ = handle.join();
    let _ = handle.join();
}
