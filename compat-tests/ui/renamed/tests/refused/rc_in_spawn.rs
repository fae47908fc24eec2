//! Counts of `Rc` are not for two threads.

use std::rc::Rc;
use std::thread;

fn main() {
    let counted = Rc::new(1);
    thread::spawn(move || *counted);
}
