//! Counts of `Rc` are not for two threads, not even borrowed.

use dstd::rc::Rc;
use dstd::thread;

fn main() {
    let counted = Rc::new(1);
    thread::scope(|scope| {
        scope.spawn(|| *counted);
    });
}
