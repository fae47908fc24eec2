//! Who promises that borrows hold says so.

use std::thread;

fn main() {
    let _ = thread::Builder::new().spawn_unchecked(|| ());
}
