//! Who promises that borrows hold says so.

use dstd::thread;

fn main() {
    let _ = thread::Builder::new().spawn_unchecked(|| ());
}
