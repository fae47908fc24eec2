//! A closure as bytes.

use std::alloc::Layout;

/// A closure to be run on another node, and everything that is known about its type.
///
/// The function pointers come from generic functions over the closure's and the result's type.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Moves the closure out of `closure`, runs it and writes the result to `result`. Does not
    /// unwind.
    pub(crate) run: unsafe fn(closure: *mut u8, result: *mut u8),
    /// Drops a result that nobody joined.
    pub(crate) drop_result: unsafe fn(*mut u8),
    /// Size and alignment of the closure.
    pub(crate) closure: Layout,
    /// Size and alignment of the result.
    pub(crate) result: Layout,
    /// Name of the thread.
    pub(crate) name: Option<String>,
    /// Stack size of the thread in bytes.
    pub(crate) stack_size: Option<usize>,
}
