//! The queue to the engine.

#[path = "../../src/node/queue.rs"]
mod queue;

use crate::evidence::Evidence;
use crate::raw;
use crate::threads::{Arc, check, thread};
use queue::Queue;

/// A request: who pushed it, and which of theirs it is.
pub(crate) struct Request {
    from: u64,
    number: Evidence,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "request of {}", self.from)
    }
}

fn push(queue: &Queue, from: u64, count: u64) {
    for number in 0..count {
        let request = Request { from, number: Evidence::new(u64::MAX) };
        request.number.set(number);
        queue.push(request);
    }
}

/// Two threads push, and the engine sleeps when it finds nothing.
pub fn queue() {
    check(3, || {
        let queue = Arc::new(Queue::new());
        queue.set_event(3);
        let (first, second) = (Arc::clone(&queue), Arc::clone(&queue));
        let threads = [thread::spawn(move || push(&first, 0, 2)), thread::spawn(move || push(&second, 1, 1))];
        let mut taken = Vec::new();
        while taken.len() < 3 {
            queue.take(&mut taken);
            if taken.len() < 3 {
                // As `node::Engine::sleep`.
                queue.announce_sleep();
                if queue.is_empty() {
                    raw::await_event();
                }
                queue.announce_awake();
                raw::clear_event();
            }
        }
        for from in [0, 1] {
            let numbers = taken.iter().filter(|request| request.from == from);
            let numbers: Vec<u64> = numbers.map(|request| request.number.get()).collect();
            assert_eq!(numbers, (0..2 - from).collect::<Vec<u64>>(), "requests of {from}");
        }
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    });
}
