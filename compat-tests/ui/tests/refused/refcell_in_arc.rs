//! `Arc` shares, `RefCell` must not be shared.

use dstd::cell::RefCell;
use dstd::sync::Arc;
use dstd::thread;

fn main() {
    let shared = Arc::new(RefCell::new(1));
    let other = Arc::clone(&shared);
    thread::spawn(move || *other.borrow_mut() = 2);
}
