//! The lock-free parts of the heap.

use crate::arena::Arena;
use crate::evidence::Evidence;
use crate::lock::{Lock, Patience};
use crate::runs::Runs;
use crate::stack::Stack;
use crate::threads::{Arc, check, thread};

struct Blocks {
    arena: Arena,
    stack: Stack,
    contents: Vec<Evidence>,
}

impl Blocks {
    fn new(count: u32) -> Arc<Blocks> {
        let contents = (0..=count).map(|_| Evidence::new(0)).collect();
        let blocks = Blocks { arena: Arena::new(count), stack: Stack::new(), contents };
        (1..=count).for_each(|index| blocks.stack.push(&blocks.arena, index));
        Arc::new(blocks)
    }

    fn pop(&self) -> Option<u32> {
        let index = self.stack.pop(&self.arena)?;
        self.contents[index as usize].set(u64::from(index));
        Some(index)
    }

    fn push(&self, index: u32) {
        self.contents[index as usize].set(0);
        self.stack.push(&self.arena, index);
    }
}

/// Blocks that are taken and put back while another thread takes one: the tag tells a head that came back.
pub fn stack() {
    check(4, || {
        let blocks = Blocks::new(3);
        let other = Arc::clone(&blocks);
        let taker = thread::spawn(move || other.pop());
        let (first, second) = (blocks.pop(), blocks.pop());
        if let Some(first) = first {
            blocks.push(first);
        }
        let mut all: Vec<u32> = second.into_iter().chain(taker.join().expect("no panic")).collect();
        while let Some(index) = blocks.pop() {
            all.push(index);
        }
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3], "HEAP-3: each block is in one place");
    });
}

/// A value behind the lock.
pub fn lock() {
    check(4, || {
        let shared = Arc::new((Lock::new(0_u32), Evidence::new(0)));
        let other = Arc::clone(&shared);
        let add = |(lock, evidence): &(Lock<u32>, Evidence)| {
            let mut value = lock.lock(Patience::Endless).expect("patient");
            evidence.set(evidence.get() + 1);
            *value += 1;
        };
        let thread = thread::spawn(move || add(&other));
        add(&shared);
        thread.join().expect("no panic");
        assert_eq!((*shared.0.lock(Patience::None).expect("free"), shared.1.get()), (2, 2));
    });
}

struct Pages {
    runs: Runs,
    contents: Vec<Evidence>,
}

impl Pages {
    fn new(pages: u32, patience: Patience) -> Arc<Pages> {
        let runs = Runs::new(&Arena::new(0), pages, 0, patience).expect("tables");
        Arc::new(Pages { runs, contents: (0..pages).map(|_| Evidence::new(0)).collect() })
    }

    /// Takes a run and writes to all of it.
    fn alloc(&self, pages: u32) -> Option<u32> {
        let run = self.runs.alloc(pages, 1)?;
        assert!(run.dirty <= pages);
        for (at, page) in self.contents[run.page as usize..][..pages as usize].iter().enumerate() {
            assert!(at < run.dirty as usize || page.get() == 0, "a page that was used passes as zero");
            page.set(1);
        }
        Some(run.page)
    }

    fn free(&self, page: u32, pages: u32) {
        assert_eq!(self.runs.free(page), Some(pages));
    }
}

fn take_and_give(pages: &Pages) {
    for _ in 0..2 {
        if let Some(page) = pages.alloc(1) {
            pages.free(page, 1);
        }
    }
}

fn runs_with(patience: Patience) {
    check(3, move || {
        let pages = Pages::new(3, patience);
        let other = Arc::clone(&pages);
        let thread = thread::spawn(move || take_and_give(&other));
        let first = pages.alloc(2);
        if let Some(page) = first {
            pages.free(page, 2);
        }
        thread.join().expect("no panic");
        assert_eq!(pages.runs.in_use(), 0);
        assert!(first.is_some() || pages.alloc(1).is_some(), "pages were lost");
        if first.is_some() {
            assert!(pages.alloc(3).is_some(), "what is free is one run again");
        }
    });
}

/// Pages that two threads take and give back, with patience for the bins.
pub fn runs() {
    runs_with(Patience::Endless);
}

/// The same by threads that never wait.
pub fn runs_impatient() {
    runs_with(Patience::None);
}
