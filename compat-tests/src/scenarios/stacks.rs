//! Stacks: what other nodes read of them, and sizes that no machine has.

use dstd::sync::{Arc, Mutex};
use dstd::{place, thread};

use crate::cluster;

const WORDS: usize = 512 * 40;

/// Other nodes read an array through to the top of a stack; the next stack begins with a guard page.
pub(crate) fn beside_guards() -> String {
    let held = Arc::new(Mutex::new(()));
    let guard = held.lock().unwrap();
    let mut neighbours = Vec::new();
    for i in 0..3 * cluster::size() {
        let held = Arc::clone(&held);
        neighbours.push(cluster::spawn(i, move || drop(held.lock().unwrap())));
    }
    read_elsewhere(0);
    for i in 0..cluster::size() {
        cluster::spawn(i, move || read_elsewhere(i)).join().unwrap();
    }
    drop(guard);
    neighbours.into_iter().for_each(|thread| thread.join().unwrap());
    format!("{} bytes", WORDS * 8)
}

#[inline(never)]
fn read_elsewhere(here: usize) {
    let mut words = [0_u64; WORDS];
    words.iter_mut().zip(0..).for_each(|(word, i)| *word = i);
    let expected: u64 = words.iter().sum();
    for other in here + 1..here + cluster::size().max(2) {
        let sum = thread::scope(|scope| {
            cluster::scoped(scope, other, || words.iter().sum::<u64>()).join().unwrap()
        });
        assert_eq!(sum, expected);
    }
}

/// Threads with too large stacks are not started, on any node; later ones are.
pub(crate) fn absurd_sizes() -> String {
    for i in 0..cluster::size() {
        for size in [usize::MAX & !4_095, 1 << 63, 1 << 50] {
            let started = place::on(cluster::nth(i), || thread::Builder::new().stack_size(size).spawn(|| ()));
            assert!(started.is_err(), "a stack of {size} bytes");
        }
        let started = place::on(cluster::nth(i), || {
            thread::scope(|scope| {
                let builder = thread::Builder::new().stack_size(usize::MAX & !4_095);
                builder.spawn_scoped(scope, || ()).is_ok()
            })
        });
        assert!(!started);
        assert_eq!(cluster::spawn(i, || 5).join().unwrap(), 5);
    }
    String::from("refused")
}
