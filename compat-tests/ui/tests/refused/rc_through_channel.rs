//! What a channel carries goes to another thread.

use dstd::rc::Rc;
use dstd::sync::mpsc;
use dstd::thread;

fn main() {
    let (sender, _receiver) = mpsc::channel();
    thread::spawn(move || sender.send(Rc::new(1)));
}
