//! A lock for short sections over metadata.
//!
//! *Invariants*: ISO-2: a holder touches metadata only, never a block. Its own stack frames may
//! lie in the partition and fault; the engine serves such a fault without ever waiting for this
//! lock ([`Patience::Short`]), so the holder always goes on.
//!
//! *Layout*: a word (0 free, 1 held) and the value.
//!
//! *Who may touch what, when*: `held` anybody; `value` only who holds the lock, by the guard.
//!
//! *Why not safe code*: `std::sync::Mutex` sleeps in a futex call, which the runtime interposes
//! and which must not be entered from inside an allocation.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};

use crate::primitive::{AtomicU32, Ordering, spin_loop, yield_now};

const SPINS_BEFORE_YIELD: u32 = 100;
/// A holder is done within a microsecond, unless it was put off its processor or faults.
const YIELDS_SHORT: u32 = 16;

/// How long to wait for a lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Patience {
    /// Until it is free. Not for the engine.
    Endless,
    /// A little; then the caller does without.
    Short,
    /// Not at all.
    None,
}

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
    pub(crate) fn new(value: T) -> Lock<T> {
        Lock { held: AtomicU32::new(0), value: UnsafeCell::new(value) }
    }

    /// Waits for the lock, as long as `patience` lasts.
    pub(crate) fn lock(&self, patience: Patience) -> Option<LockGuard<'_, T>> {
        self.acquire_within(patience).then(|| LockGuard(self))
    }

    /// Takes the lock without a guard; pairs with [`Lock::release`].
    pub(crate) fn acquire(&self) {
        let held = self.acquire_within(Patience::Endless);
        debug_assert!(held);
    }

    fn acquire_within(&self, patience: Patience) -> bool {
        let mut spins = 0_u32;
        // Pairs with the store in `release`.
        while self.held.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            if patience == Patience::None {
                return false;
            }
            spins = spins.wrapping_add(1);
            if !spins.is_multiple_of(SPINS_BEFORE_YIELD) {
                spin_loop();
            } else if patience == Patience::Short && spins / SPINS_BEFORE_YIELD > YIELDS_SHORT {
                return false;
            } else {
                yield_now();
            }
        }
        true
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
