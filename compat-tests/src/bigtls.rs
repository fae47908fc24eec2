//! A program whose thread-locals are larger than the stacks that libc gives threads by default here.

use std::cell::RefCell;

use dstd::place;

const BYTES: usize = 2 << 20;

thread_local! {
    static LARGE: RefCell<[u8; BYTES]> = const { RefCell::new([0; BYTES]) };
}

/// Counts in the first and in the last byte.
fn count() -> u8 {
    LARGE.with_borrow_mut(|large| {
        large[0] += 1;
        large[BYTES - 1] += 1;
        large[0] + large[BYTES - 1]
    })
}

fn main() {
    assert_eq!(count(), 2);
    for node in place::nodes() {
        let thread = place::spawn_on(node, || [count(), count()]);
        assert_eq!(thread.join().expect("it does not panic"), [2, 4]);
    }
    assert_eq!(count(), 4);
    println!("ok bigtls {BYTES} bytes");
}
