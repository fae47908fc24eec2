//! The list and its model.

#[path = "../../../../src/page/segv/arrivals.rs"]
mod list;

use super::faults::Fault;
use crate::evidence::Evidence;
use crate::raw;
use crate::threads::{Arc, check, thread};
use list::Arrivals;

/// Two threads fault; the engine serves one after the other, and their nodes are gone then.
pub fn arrivals() {
    check(3, || {
        let shared = Arc::new((Arrivals::new(), [Evidence::new(0), Evidence::new(0)]));
        let threads = [0, 1].map(|at: u64| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (arrivals, page) = (&shared.0, &shared.1[at as usize]);
                page.set(1);
                arrivals.wait(Fault { address: at, write: true }, || {
                    // SAFETY: the model's eventfd.
                    unsafe { raw::syscall(libc::SYS_write, [0; 6]) };
                });
                assert_eq!(page.get(), 2, "the page is there before its thread goes on");
            })
        });
        let mut served = 0;
        while served < 2 {
            raw::await_event();
            raw::clear_event();
            let mut waiting = Vec::new();
            shared.0.take(&mut waiting);
            for thread in waiting {
                let page = &shared.1[thread.fault().address as usize];
                assert_eq!(page.get(), 1);
                page.set(2);
                thread.wake();
                served += 1;
            }
        }
        assert!(shared.0.is_empty());
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    });
}
