//! A guard is released by the thread that took it.

use dstd::sync::RwLock;
use dstd::thread;

fn main() {
    let lock = RwLock::new(0);
    let guard = lock.read().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || *guard);
    });
}
