//! A lock for short sections over metadata.
//!
//! *Invariants*: ISO-2: a holder touches metadata only, never a block. Its own stack frames may
//! lie in the partition and fault; the engine serves such a fault without ever taking this lock,
//! so the holder always goes on.
//!
//! *Layout*: a word (0 free, 1 held) and the value.
//!
//! *Who may touch what, when*: `held` anybody; `value` only who holds the lock, by the guard.
//!
//! *Why not safe code*: `std::sync::Mutex` sleeps in a futex call, which the runtime interposes
//! and which must not be entered from inside an allocation.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering};

const SPINS_BEFORE_YIELD: u32 = 100;

/// A value that one thread at a time may use.
pub(crate) struct Lock<T> {
    held: AtomicU32,
    value: UnsafeCell<T>,
}

/// Access to the value of a [`Lock`], until dropped.
pub(crate) struct LockGuard<'a, T>(&'a Lock<T>);

// SAFETY: the value is reached only by the one thread that holds the guard.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Lock<T> {
        Lock { held: AtomicU32::new(0), value: UnsafeCell::new(value) }
    }

    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        self.acquire();
        LockGuard(self)
    }

    /// Takes the lock without a guard; pairs with [`Lock::release`].
    pub(crate) fn acquire(&self) {
        let mut spins = 0;
        // Pairs with the store in `release`.
        while self.held.compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            spins += 1;
            if spins % SPINS_BEFORE_YIELD == 0 {
                std::thread::yield_now();
            } else {
                core::hint::spin_loop();
            }
        }
    }

    /// Gives the lock back; only after [`Lock::acquire`] by the same thread.
    pub(crate) fn release(&self) {
        debug_assert_eq!(self.held.load(Ordering::Relaxed), 1);
        self.held.store(0, Ordering::Release);
    }
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard proves that this thread holds the lock.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard proves that this thread holds the lock, and it is borrowed mutably.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for LockGuard<'_, T> {
    fn drop(&mut self) {
        self.0.release();
    }
}
