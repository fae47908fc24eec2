//! `cargo dstd test -n 3` runs these on three nodes, `cargo test` on one.

use dstd::sync::mpsc;
use dstd::{place, thread};

#[test]
fn every_node_answers() {
    let (sender, receiver) = mpsc::channel();
    for node in place::nodes() {
        let sender = sender.clone();
        place::spawn_on(node, move || sender.send(place::here()).unwrap()).join().unwrap();
    }
    drop(sender);
    assert!(receiver.into_iter().eq(place::nodes()));
}

#[test]
fn threads_borrow() {
    let words = ["one".to_owned(), "two".to_owned()];
    let mut lengths = [0, 0];
    thread::scope(|scope| {
        for (word, length) in words.iter().zip(&mut lengths) {
            scope.spawn(move || *length = word.len());
        }
    });
    assert_eq!(lengths, [3, 3]);
}
