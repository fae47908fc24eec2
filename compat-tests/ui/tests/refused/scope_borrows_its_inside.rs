//! Threads of a scope may live longer than what the scope's closure has.

use dstd::thread;

fn main() {
    thread::scope(|scope| {
        let inside = String::from("shorter than the scope");
        scope.spawn(|| inside.len());
    });
}
