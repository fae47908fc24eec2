//! The result of a thread goes to another one.

use dstd::rc::Rc;
use dstd::thread;

fn main() {
    let _ = thread::spawn(|| Rc::new(1)).join();
}
