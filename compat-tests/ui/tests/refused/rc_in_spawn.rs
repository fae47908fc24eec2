//! Counts of `Rc` are not for two threads.

use dstd::rc::Rc;
use dstd::thread;

fn main() {
    let counted = Rc::new(1);
    thread::spawn(move || *counted);
}
