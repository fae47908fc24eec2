//! A thread that waits for the engine.

use crate::evidence::Evidence;
use crate::threads::{Arc, check, thread};
use crate::wait::Wait;

/// The engine answers twice; the thread waits for both answers.
pub fn wait() {
    check(4, || {
        let shared = Arc::new((Wait::new(), Evidence::new(0)));
        shared.0.arm();
        let other = Arc::clone(&shared);
        let engine = thread::spawn(move || {
            other.1.set(7);
            other.0.set(1, 10);
            other.0.set(2, 20);
        });
        let first = shared.0.wait_while(Wait::PENDING, None);
        assert_eq!(shared.1.get(), 7);
        assert!([10, 20].contains(&shared.0.value()));
        let last = if first == 1 { shared.0.wait_while(1, None) } else { first };
        assert_eq!((last, shared.0.value()), (2, 20));
        engine.join().expect("no panic");
    });
}
