//! A program whose thread-locals are larger than the stacks that libc gives threads by default here, and lie at
//! multiples of more than a page.

use std::cell::RefCell;

use dstd::place;

const BYTES: usize = 2 << 20;

#[repr(align(8192))]
struct Large([u8; BYTES]);

thread_local! {
    static LARGE: RefCell<Large> = const { RefCell::new(Large([0; BYTES])) };
}

/// Counts in the first and in the last byte.
fn count() -> u8 {
    LARGE.with_borrow_mut(|Large(large)| {
        assert!(large.as_ptr().addr().is_multiple_of(8192));
        large[0] += 1;
        large[BYTES - 1] += 1;
        large[0] + large[BYTES - 1]
    })
}

/// Threads on all nodes count in main's.
fn lend() {
    LARGE.with_borrow_mut(|Large(large)| {
        for node in place::nodes() {
            let large = &mut *large;
            place::on(node, || {
                dstd::thread::scope(|scope| {
                    scope.spawn(move || (large[0], large[BYTES - 1]) = (large[0] + 1, large[BYTES - 1] + 2));
                });
            });
        }
        let nodes = place::nodes().len() as u8;
        assert_eq!([large[0], large[BYTES - 1]], [2 + nodes, 2 + 2 * nodes]);
    });
}

fn main() {
    assert_eq!(count(), 2);
    for node in place::nodes() {
        let thread = place::spawn_on(node, || [count(), count()]);
        assert_eq!(thread.join().expect("it does not panic"), [2, 4]);
    }
    assert_eq!(count(), 4);
    lend();
    println!("ok bigtls {BYTES} bytes");
}
