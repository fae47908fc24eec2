//! Values as raw bytes: how a closure and its result travel.
//!
//! *Invariants*: SHIP-2 (a shipped closure runs at most once), COH-1.
//!
//! *Layout*
//! ```text
//! size_of::<V>() <= INLINE_BYTES_MAX   the bytes of V itself
//! size_of::<V>() >  INLINE_BYTES_MAX   the bytes of a Box<V>; V stays in the user heap
//! ```
//! *Who may touch what, when*: a [`Slot`] belongs to the thread that made it. Shipping copies its bytes;
//! from then on the copy is the value and the slot is only storage. A result slot is storage until the join
//! or call that fills it has returned.
//!
//! *Why not safe code*: the type of a shipped closure is known only at the two ends, where [`run`] was made
//! for it; in between it is bytes.

use crate::ship;
use std::alloc::Layout;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::Result;

/// Larger values travel as a box, so that a message stays small: the page engine brings their bytes to
/// whoever reads them, in bulk.
const INLINE_BYTES_MAX: usize = 64 * 1024;

const fn is_boxed<V>() -> bool {
    size_of::<V>() > INLINE_BYTES_MAX
}

/// The layout of the bytes that stand for a `V`.
const fn layout<V>() -> Layout {
    if is_boxed::<V>() { Layout::new::<Box<V>>() } else { Layout::new::<V>() }
}

/// Moves the value out of its bytes.
///
/// # Safety
/// - `bytes` is aligned for [`layout`] of `V` and holds a value that [`put`] or a [`Slot`] made.
/// - The bytes are not used as a value again.
unsafe fn take<V>(bytes: *const u8) -> V {
    if is_boxed::<V>() {
        // SAFETY: a large value is stored as a box, and the caller gives it up.
        let boxed = unsafe { bytes.cast::<Box<V>>().read() };
        *boxed
    } else {
        // SAFETY: a small value is stored as itself, and the caller gives it up.
        unsafe { bytes.cast::<V>().read() }
    }
}

/// Moves a value into its bytes.
///
/// # Safety
/// `bytes` is valid for writes and aligned for [`layout`] of `V`.
unsafe fn put<V>(bytes: *mut u8, value: V) {
    if is_boxed::<V>() {
        // SAFETY: the place has the layout of a box, which stands for a large value.
        unsafe { bytes.cast::<Box<V>>().write(Box::new(value)) }
    } else {
        // SAFETY: the place has the layout of a small value.
        unsafe { bytes.cast::<V>().write(value) }
    }
}

/// Storage for the bytes of one `V`. Never drops what it holds.
pub(super) enum Slot<V> {
    /// The value itself.
    Inline(MaybeUninit<V>),
    /// A large value, behind a box.
    Boxed(MaybeUninit<Box<V>>),
}

impl<V> Slot<V> {
    /// Storage that a result will be written to.
    pub(super) fn empty() -> Slot<V> {
        if is_boxed::<V>() { Slot::Boxed(MaybeUninit::uninit()) } else { Slot::Inline(MaybeUninit::uninit()) }
    }

    /// Storage that holds `value`.
    pub(super) fn full(value: V) -> Slot<V> {
        if is_boxed::<V>() {
            Slot::Boxed(MaybeUninit::new(Box::new(value)))
        } else {
            Slot::Inline(MaybeUninit::new(value))
        }
    }

    /// Where the bytes are.
    pub(super) fn bytes(&mut self) -> *mut u8 {
        match self {
            Slot::Inline(value) => value.as_mut_ptr().cast(),
            Slot::Boxed(value) => value.as_mut_ptr().cast(),
        }
    }

    /// Moves the value out.
    ///
    /// # Safety
    /// The slot holds a value: it was made full and its bytes were not shipped, or a result was written to
    /// it.
    pub(super) unsafe fn into_value(mut self) -> V {
        // SAFETY: the caller promises a value; `self` ends here, so the value is not used again.
        unsafe { take(self.bytes()) }
    }
}

/// The job that runs an `F` and yields a `Result<T>`.
pub(super) fn job<F, T>(name: Option<String>, stack_size: Option<usize>) -> ship::Job
where
    F: FnOnce() -> T,
{
    ship::Job {
        run: run::<F, T>,
        drop_result: drop_in_place::<Result<T>>,
        closure: layout::<F>(),
        result: layout::<Result<T>>(),
        name,
        stack_size,
    }
}

/// Runs the closure found in `closure` and leaves its outcome in `result`; a panic becomes an `Err` with
/// its payload.
///
/// # Safety
/// - `closure` holds the bytes of an `F` that is not used again.
/// - `result` is valid for writes and aligned for the layout of a `Result<T>`.
unsafe fn run<F, T>(closure: *mut u8, result: *mut u8)
where
    F: FnOnce() -> T,
{
    // SAFETY: the caller gives the closure up.
    let f = unsafe { take::<F>(closure) };
    // The panic is handed to whoever joins, who decides, as with a thread of std.
    let outcome = catch_unwind(AssertUnwindSafe(f));
    // SAFETY: `result` is a place for exactly this type.
    unsafe { put(result, outcome) }
}

/// Drops a value that nobody will take.
///
/// # Safety
/// `bytes` holds a `V` that is not used again.
unsafe fn drop_in_place<V>(bytes: *mut u8) {
    // SAFETY: the caller gives the value up.
    let value = unsafe { take::<V>(bytes) };
    or_abort("thread result panicked on drop", || drop(value));
}

/// Runs `f`; if it panics, ends the program with `reason`, as std does where there is no caller left to tell.
pub(super) fn or_abort<R>(reason: &str, f: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|_| {
        eprintln!("fatal runtime error: {reason}, aborting");
        std::process::abort();
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn job_of<F: FnOnce() -> T, T>(_: &F) -> ship::Job {
        job::<F, T>(None, None)
    }

    fn round_trip<const BYTES: usize>() {
        let witness = Arc::new(());
        let f = {
            let (witness, bytes) = (Arc::clone(&witness), [7u8; BYTES]);
            move || (witness, bytes)
        };
        let job = job_of(&f);
        let mut closure = Slot::full(f);
        let mut result: Slot<Result<(Arc<()>, [u8; BYTES])>> = Slot::empty();
        // SAFETY: the slots are a full closure and an empty result of this job.
        unsafe { (job.run)(closure.bytes(), result.bytes()) };
        // SAFETY: `run` has filled the result.
        let (back, bytes) = unsafe { result.into_value() }.expect("no panic");
        assert!(bytes.iter().all(|byte| *byte == 7) && bytes.len() == BYTES);
        assert_eq!(Arc::strong_count(&witness), 2);
        drop(back);
        assert_eq!(Arc::strong_count(&witness), 1);
    }

    #[test]
    fn small_and_large_closures_and_results_keep_their_value() {
        round_trip::<0>();
        round_trip::<64>();
        round_trip::<{ INLINE_BYTES_MAX + 1 }>();
    }

    #[test]
    fn large_values_travel_as_a_box() {
        assert_eq!(layout::<[u8; INLINE_BYTES_MAX]>().size(), INLINE_BYTES_MAX);
        assert_eq!(layout::<[u8; INLINE_BYTES_MAX + 1]>().size(), size_of::<usize>());
    }

    #[test]
    fn a_panic_becomes_an_error_with_its_payload() {
        let f = || std::panic::resume_unwind(Box::new(41u8));
        let job = job_of::<_, String>(&f);
        let mut closure = Slot::full(f);
        let mut result: Slot<Result<String>> = Slot::empty();
        // SAFETY: the slots are a full closure and an empty result of this job.
        unsafe { (job.run)(closure.bytes(), result.bytes()) };
        // SAFETY: `run` has filled the result.
        let payload = unsafe { result.into_value() }.expect_err("it panicked");
        assert_eq!(payload.downcast_ref::<u8>(), Some(&41));
    }

    #[test]
    fn values_that_nobody_takes_are_dropped() {
        let witness = Arc::new(());
        let f = {
            let witness = Arc::clone(&witness);
            move || witness
        };
        let job = job_of(&f);
        let mut closure = Slot::full(f);
        let mut result: Slot<Result<Arc<()>>> = Slot::empty();
        // SAFETY: the slots are a full closure and an empty result of this job.
        unsafe { (job.run)(closure.bytes(), result.bytes()) };
        // SAFETY: the slot holds the result, which nobody takes.
        unsafe { (job.drop_result)(result.bytes()) };
        assert_eq!(Arc::strong_count(&witness), 1);
    }
}
