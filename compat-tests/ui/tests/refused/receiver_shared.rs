//! A receiver is for one thread.

use dstd::sync::mpsc;
use dstd::thread;

fn main() {
    let (_sender, receiver) = mpsc::channel::<u8>();
    thread::scope(|scope| {
        scope.spawn(|| receiver.recv());
    });
}
