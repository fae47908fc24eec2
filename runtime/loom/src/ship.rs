//! Threads that wait for work.

#[path = "../../src/ship/idle.rs"]
mod idle;

use crate::evidence::Evidence;
use crate::threads::{Arc, check, thread};
use crate::wait::Wait;
use idle::Idle;

/// Work: what it is, and how often it was done.
type Work = Arc<(u64, Evidence)>;

fn work(what: u64) -> Work {
    let work = Arc::new((what, Evidence::new(u64::MAX)));
    work.1.set(0);
    work
}

fn perform(work: &Work) {
    work.1.set(work.1.get() + 1);
}

/// Two pieces of work for a thread that waits for both.
pub fn hand_over() {
    check(3, || {
        let idle = Arc::new(Idle::<Work>::new());
        let other = Arc::clone(&idle);
        let worker = thread::spawn(move || {
            let place = other.enter().expect("a free place");
            let forever = |wait: &Wait| {
                wait.wait_while(Wait::PENDING, None);
            };
            let done = [(); 2].map(|()| other.next(&place, forever).expect("it waits for ever"));
            done.iter().for_each(perform);
            other.leave(place);
            done.map(|work| work.0)
        });
        let all = [work(1), work(2)];
        for work in &all {
            let mut work = Arc::clone(work);
            while let Err(back) = idle.hand_over(work) {
                work = back;
                thread::yield_now();
            }
        }
        assert_eq!(worker.join().expect("no panic"), [1, 2]);
        assert!(all.iter().all(|work| work.1.get() == 1));
    });
}

/// Work for threads that do not wait long; one of them may get the place of the other. What nobody takes, the one
/// who brings it does.
pub fn give_up() {
    check(3, || {
        let idle = Arc::new(Idle::<Work>::new());
        let workers = [(); 2].map(|()| {
            let idle = Arc::clone(&idle);
            thread::spawn(move || {
                let place = idle.enter().expect("a free place");
                let got = idle.next(&place, |_| ());
                got.iter().for_each(perform);
                idle.leave(place);
                got.map(|work| work.0)
            })
        });
        let all = [work(1), work(2)];
        let mut done: Vec<u64> = Vec::new();
        for work in &all {
            if let Err(back) = idle.hand_over(Arc::clone(work)) {
                perform(&back);
                done.push(back.0);
            }
        }
        done.extend(workers.into_iter().filter_map(|worker| worker.join().expect("no panic")));
        done.sort_unstable();
        assert_eq!(done, [1, 2], "SHIP-2: each is done once");
        assert!(all.iter().all(|work| work.1.get() == 1));
    });
}
