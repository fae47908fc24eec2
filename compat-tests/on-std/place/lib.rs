//! Real std, with a `place` module for a cluster of one node.
#![forbid(unsafe_code)]

pub use std::*;

/// The affinity API where there is only one node.
pub mod place {
    use std::thread::{self, JoinHandle};
    use std::{fmt, ops};

    /// The name of the only node.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub struct NodeId;

    impl fmt::Display for NodeId {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("0")
        }
    }

    /// A value, where no pages travel.
    #[derive(Clone, Copy, Default, Debug)]
    pub struct Apart<T>(T);

    impl<T> Apart<T> {
        /// Wraps `value`.
        pub const fn new(value: T) -> Apart<T> {
            Apart(value)
        }
    }

    impl<T> ops::Deref for Apart<T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }

    /// The node this code runs on.
    pub fn here() -> NodeId {
        NodeId
    }

    /// All nodes.
    pub fn nodes() -> impl ExactSizeIterator<Item = NodeId> + DoubleEndedIterator {
        [NodeId].into_iter()
    }

    /// Runs `f`; its spawns go to the node.
    pub fn on<R>(_: NodeId, f: impl FnOnce() -> R) -> R {
        f()
    }

    /// Spawns a thread on the node.
    pub fn spawn_on<F, T>(_: NodeId, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        thread::spawn(f)
    }

    /// Runs `f` on the node and waits for it.
    pub fn call<F, T>(_: NodeId, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        f()
    }
}
