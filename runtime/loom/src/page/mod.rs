//! Threads that wait for a page in a signal handler.

mod segv;

/// What the list carries.
mod faults {
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct Fault {
        pub(crate) address: u64,
        pub(crate) write: bool,
    }
}

pub use segv::arrivals;
