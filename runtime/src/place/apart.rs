//! Values that share no page with others.

use std::fmt;
use std::ops::{Deref, DerefMut};

use dstd_addr::PAGE_BYTES;

/// A value that begins on a page of its own and shares no page with other values.
///
/// Pages are what nodes without common memory hand to each other. When threads of two nodes write to
/// values that happen to lie on one page, that page travels at every turn although the threads have
/// nothing to do with each other. `Apart` around each of these values ends that; around the lock
/// of an `Arc<Apart<Mutex<T>>>` it also keeps the counts of the `Arc` from travelling with the lock. (`crossbeam`'s
/// `CachePadded` is the same for cache lines.)
///
/// It costs at least a page of 4 KiB, and every value costs a message of its own to be fetched: for few values
/// that several nodes write often. Statics need it only in arrays: each static of a program has pages of its own.
///
/// # Network
/// 0. A thread that finds the page on its node sends nothing.
///
/// # Examples
/// ```
/// # use dstd_runtime as dstd;
/// use dstd::place::{self, Apart};
/// use dstd::thread;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// let counts: Vec<Apart<AtomicU64>> = place::nodes().map(|_| Apart::default()).collect();
/// thread::scope(|scope| {
///     for (node, count) in place::nodes().zip(&counts) {
///         place::on(node, || scope.spawn(|| (0..1000).for_each(|_| drop(count.fetch_add(1, Ordering::Relaxed)))));
///     }
/// });
/// assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1000));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(align(4096))]
pub struct Apart<T>(T);

const _: () = assert!(align_of::<Apart<u8>>() as u64 == PAGE_BYTES);

impl<T> Apart<T> {
    /// Sets `value` apart.
    pub const fn new(value: T) -> Apart<T> {
        Apart(value)
    }

    /// The value alone.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Apart<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Apart<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> From<T> for Apart<T> {
    fn from(value: T) -> Apart<T> {
        Apart(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Apart<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Apart").field(&self.0).finish()
    }
}
