//! Values whose owners take turns: loom, Miri and the thread sanitizer notice when two owners are not ordered.

use crate::threads::UnsafeCell;

/// A number that only its owner may touch.
pub(crate) struct Evidence(UnsafeCell<u64>);

// SAFETY: whether accesses are ordered is what is tested; loom ends the model when two are not.
unsafe impl Sync for Evidence {}

impl Evidence {
    pub(crate) fn new(value: u64) -> Evidence {
        Evidence(UnsafeCell::new(value))
    }

    /// Owner: changes the value.
    pub(crate) fn set(&self, value: u64) {
        self.0.with_mut(|at| {
            // SAFETY: as above: loom has checked that nobody else is at it, and elsewhere the test is about it.
            unsafe { *at = value }
        });
    }

    /// Owner: the value.
    pub(crate) fn get(&self) -> u64 {
        self.0.with(|at| {
            // SAFETY: as above.
            unsafe { *at }
        })
    }
}
