//! Atomics for the files under test: loom's or std's, and the ways to break them.

use std::sync::atomic as real;

use crate::threads::atomic as modelled;

pub(crate) use crate::threads::spin_loop;
pub(crate) use crate::threads::thread::yield_now;
pub(crate) use real::Ordering;

/// A waiting thread looks once before it sleeps: more looks are more of the same.
pub(crate) const WAIT_SPINS: u32 = 1;

/// Fewer places are more of the same, too.
pub(crate) const IDLE_PLACES: usize = 2;

/// How the code under test is broken: for canaries, in a process of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sabotage {
    /// Fences do nothing.
    NoFences,
    /// SeqCst fences are of acquire and release only.
    WeakFences,
    /// Loads do not acquire.
    NoAcquire,
    /// Stores do not release.
    NoRelease,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Sabotage; 4] =
        [Sabotage::NoFences, Sabotage::WeakFences, Sabotage::NoAcquire, Sabotage::NoRelease];
}

/// A place in [`Sabotage::ALL`], or beyond it.
static SABOTAGE: real::AtomicUsize = real::AtomicUsize::new(usize::MAX);

/// From now on, what the code under test says is done like this.
pub fn sabotage(how: Sabotage) {
    SABOTAGE.store(how as usize, Ordering::Relaxed);
}

fn sabotaged() -> Option<Sabotage> {
    Sabotage::ALL.get(SABOTAGE.load(Ordering::Relaxed)).copied()
}

/// The ordering that an access gets which asks for `order`.
fn granted(order: Ordering) -> Ordering {
    match (sabotaged(), order) {
        (Some(Sabotage::NoAcquire), Ordering::Acquire) => Ordering::Relaxed,
        (Some(Sabotage::NoAcquire), Ordering::AcqRel) => Ordering::Release,
        (Some(Sabotage::NoRelease), Ordering::Release) => Ordering::Relaxed,
        (Some(Sabotage::NoRelease), Ordering::AcqRel) => Ordering::Acquire,
        (_, order) => order,
    }
}

pub(crate) fn fence(order: Ordering) {
    match sabotaged() {
        Some(Sabotage::NoFences) => {}
        Some(Sabotage::WeakFences) => modelled::fence(Ordering::AcqRel),
        _ => modelled::fence(order),
    }
}

/// A modelled atomic.
#[derive(Debug)]
pub(crate) struct Atomic<A>(A);

pub(crate) type AtomicBool = Atomic<modelled::AtomicBool>;
pub(crate) type AtomicI32 = Atomic<modelled::AtomicI32>;
pub(crate) type AtomicPtr<T> = Atomic<modelled::AtomicPtr<T>>;
pub(crate) type AtomicU32 = Atomic<modelled::AtomicU32>;
pub(crate) type AtomicU64 = Atomic<modelled::AtomicU64>;

/// What all have that the code under test uses.
macro_rules! all_have {
    ($([$($of:tt)*] $atomic:ty, $value:ty;)*) => {
        $(impl$($of)* Atomic<$atomic> {
            pub(crate) fn new(value: $value) -> Self {
                Atomic(<$atomic>::new(value))
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.0.load(granted(order))
            }

            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                self.0.swap(value, granted(order))
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.0.compare_exchange(current, new, granted(success), granted(failure))
            }

            pub(crate) fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.0.compare_exchange_weak(current, new, granted(success), granted(failure))
            }
        })*
    };
}

all_have! {
    [] modelled::AtomicBool, bool;
    [] modelled::AtomicI32, i32;
    [<T>] modelled::AtomicPtr<T>, *mut T;
    [] modelled::AtomicU32, u32;
    [] modelled::AtomicU64, u64;
}

/// What all but flags have.
macro_rules! words_have {
    ($([$($of:tt)*] $atomic:ty, $value:ty;)*) => {
        $(impl$($of)* Atomic<$atomic> {
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.0.store(value, granted(order));
            }
        })*
    };
}

words_have! {
    [] modelled::AtomicI32, i32;
    [<T>] modelled::AtomicPtr<T>, *mut T;
    [] modelled::AtomicU32, u32;
    [] modelled::AtomicU64, u64;
}

impl Atomic<modelled::AtomicBool> {
    /// A store; with loom, one that comes after every swap made so far.
    ///
    /// By the language's rules a swap follows what it has read immediately in the order of all stores. Loom
    /// has no such rule (`tests/limits.rs` shows it): it lets the store of a flag come between a swap that
    /// has read the flag's last store and that last store, as if the swap had come later. So the store is a
    /// swap here. That orders no more than the rules do, but for one thing: a fence after it acquires what
    /// came before a fence in front of a swap that it follows. The model of the queue does not lean on that:
    /// its canary with weak fences fails.
    pub(crate) fn store(&self, value: bool, order: Ordering) {
        if cfg!(loom) {
            self.0.swap(value, granted(order));
        } else {
            self.0.store(value, granted(order));
        }
    }
}

/// What numbers have.
macro_rules! numbers_have {
    ($($atomic:ty, $value:ty: $($name:ident)*;)*) => {
        $(impl Atomic<$atomic> {
            $(pub(crate) fn $name(&self, value: $value, order: Ordering) -> $value {
                self.0.$name(value, granted(order))
            })*

            pub(crate) fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                change: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                self.0.fetch_update(granted(set), granted(fetch), change)
            }
        })*
    };
}

numbers_have! {
    modelled::AtomicU32, u32: fetch_add fetch_sub fetch_max fetch_and fetch_or;
    modelled::AtomicU64, u64: fetch_and fetch_or;
}
