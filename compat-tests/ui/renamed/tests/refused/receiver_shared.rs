//! A receiver is for one thread.

use std::sync::mpsc;
use std::thread;

fn main() {
    let (_sender, receiver) = mpsc::channel::<u8>();
    thread::scope(|scope| {
        scope.spawn(|| receiver.recv());
    });
}
