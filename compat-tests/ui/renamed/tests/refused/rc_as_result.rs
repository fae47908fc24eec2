//! The result of a thread goes to another one.

use std::rc::Rc;
use std::thread;

fn main() {
    let _ = thread::spawn(|| Rc::new(1)).join();
}
