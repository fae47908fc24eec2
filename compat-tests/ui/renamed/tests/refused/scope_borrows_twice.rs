//! Two threads of a scope, one `&mut`.

use std::thread;

fn main() {
    let mut numbers = vec![1];
    thread::scope(|scope| {
        scope.spawn(|| numbers.push(2));
        scope.spawn(|| numbers.push(3));
    });
}
