//! A thread-local ends with its thread.

use dstd::cell::Cell;
use dstd::thread;

thread_local! {
    static MINE: Cell<u8> = const { Cell::new(1) };
}

fn main() {
    MINE.with(|mine| {
        thread::spawn(|| mine.get());
    });
}
