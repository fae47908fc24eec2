//! What models are made of: loom's, or std's under the same names. The one switch between them.

#[cfg(loom)]
pub(crate) use loom::{
    cell::UnsafeCell,
    hint::spin_loop,
    sync::{Arc, Condvar, Mutex, atomic},
    thread,
};

#[cfg(not(loom))]
pub(crate) use std::{
    hint::spin_loop,
    sync::{Arc, Condvar, Mutex, atomic},
    thread,
};

/// Std's cell with loom's functions.
#[cfg(not(loom))]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> UnsafeCell<T> {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, reads: impl FnOnce(*const T) -> R) -> R {
        reads(self.0.get())
    }

    pub(crate) fn with_mut<R>(&self, changes: impl FnOnce(*mut T) -> R) -> R {
        changes(self.0.get())
    }
}

/// Runs `model` in every order in which threads are put off their processor at most `preemptions` times
/// where they would not wait anyway; fails when one of them does. Most bugs need two.
#[cfg(loom)]
pub(crate) fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(model);
}

/// Runs `model` on real threads, again and again: for sanitizers and Miri, which notice more than a wrong result.
#[cfg(not(loom))]
pub(crate) fn check(_preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    // Models share the kernel of `raw`.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let alone = ONE_AT_A_TIME.lock();
    for _ in 0..if cfg!(miri) { 4 } else { 500 } {
        model();
    }
    drop(alone);
}
