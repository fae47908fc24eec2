//! Counts of `Rc` are not for two threads, not even borrowed.

use std::rc::Rc;
use std::thread;

fn main() {
    let counted = Rc::new(1);
    thread::scope(|scope| {
        scope.spawn(|| *counted);
    });
}
