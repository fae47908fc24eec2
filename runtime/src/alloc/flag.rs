//! The flag that says on whose behalf a thread allocates.
//!
//! A thread starts as a user thread. The flag is plain thread-local memory: no destructor, no
//! allocation, one access.

use core::cell::Cell;
use core::marker::PhantomData;

thread_local! {
    /// How many [`RuntimeGuard`]s of this thread are alive (0: user code).
    static RUNTIME: Cell<u32> = const { Cell::new(0) };
}

/// While it lives, the thread's allocations go to the private heap.
#[must_use = "the flag is cleared when the guard is dropped"]
pub(crate) struct RuntimeGuard(PhantomData<*mut ()>);

/// While it lives, the thread's allocations go to the partition, also inside runtime code.
#[must_use = "the flag is restored when the guard is dropped"]
pub(crate) struct UserGuard {
    outer: u32,
    not_send: PhantomData<*mut ()>,
}

/// Marks what follows as runtime code. Guards nest.
#[inline]
pub(crate) fn enter() -> RuntimeGuard {
    RUNTIME.set(RUNTIME.get() + 1);
    RuntimeGuard(PhantomData)
}

/// Marks what follows as user code: callbacks, closures, anything whose allocations other nodes
/// may come to see.
#[inline]
pub(crate) fn leave() -> UserGuard {
    UserGuard { outer: RUNTIME.replace(0), not_send: PhantomData }
}

/// Whether this thread is in runtime code.
#[inline]
pub(crate) fn in_runtime() -> bool {
    RUNTIME.get() != 0
}

impl Drop for RuntimeGuard {
    #[inline]
    fn drop(&mut self) {
        RUNTIME.set(RUNTIME.get() - 1);
    }
}

impl Drop for UserGuard {
    #[inline]
    fn drop(&mut self) {
        RUNTIME.set(self.outer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_nest_and_restore() {
        assert!(!in_runtime());
        let outer = enter();
        {
            let _inner = enter();
            let user = leave();
            assert!(!in_runtime());
            drop(user);
            assert!(in_runtime());
        }
        assert!(in_runtime());
        drop(outer);
        assert!(!in_runtime());
    }
}
