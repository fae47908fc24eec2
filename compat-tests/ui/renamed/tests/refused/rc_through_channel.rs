//! What a channel carries goes to another thread.

use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

fn main() {
    let (sender, _receiver) = mpsc::channel();
    thread::spawn(move || sender.send(Rc::new(1)));
}
