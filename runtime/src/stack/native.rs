//! Running runtime code of a user thread on its native stack.
//!
//! *Invariants*: ISO-2. A user thread that runs on a partition stack may be stopped by the page
//! engine at any instruction that touches it. Runtime code may take short locks that the engine
//! thread takes too (the private heap's); so it never runs on a partition stack, except
//! where a chain of calls is noted (`alloc/traces`): the unwinder has to see the partition stack, and no lock of ours is
//! taken there.
//! *Who may touch what*: `native_sp` of a record is written by its own thread only.

use core::ffi::c_void;
use core::mem::{ManuallyDrop, MaybeUninit};

use dstd_addr::Layout;

use super::dstd_stack_enter;
use crate::fatal::StopOnUnwind;
use crate::record;
use crate::{alloc, context};

struct Call<F, R> {
    function: ManuallyDrop<F>,
    result: MaybeUninit<R>,
}

extern "C-unwind" fn run<F: FnOnce() -> R, R>(call: *mut c_void) -> *mut c_void {
    // SAFETY: `on_native` passes its own `Call<F, R>`, which outlives this function.
    let call = unsafe { &mut *call.cast::<Call<F, R>>() };
    // SAFETY: taken once: this function is called once for each `Call`.
    let function = unsafe { ManuallyDrop::take(&mut call.function) };
    let guard = StopOnUnwind;
    call.result.write(function());
    core::mem::forget(guard);
    core::ptr::null_mut()
}

/// Runs `function` as runtime code: with the runtime flag set and off the partition stack.
///
/// The function may touch user memory (its captures lie on the user's stack), but only while
/// it holds no lock (ISO-2). A panic in it ends the program.
pub(crate) fn on_native<R>(function: impl FnOnce() -> R) -> R {
    let _runtime = alloc::enter();
    let record = record::current();
    // A thread that ends by `pthread_exit` is on its native stack without having returned to it.
    let top = record.filter(|_| on_user_stack()).map_or(0, record::Record::leave_user_stack);
    if top == 0 {
        return function();
    }
    let mut call = Call { function: ManuallyDrop::new(function), result: MaybeUninit::<R>::uninit() };
    enter(&mut call, top);
    if let Some(record) = record {
        record.return_to_user_stack(top);
    }
    // SAFETY: `run` has written the result before it returned.
    unsafe { call.result.assume_init() }
}

fn on_user_stack() -> bool {
    let here = 0_u8;
    Layout::stacks(context::me()).contains(&((&raw const here).addr() as u64))
}

fn enter<F: FnOnce() -> R, R>(call: &mut Call<F, R>, top: usize) {
    let mut saved = 0;
    // Below the frames that are suspended on the native stack, beyond their red zone.
    let top = (top - 256) & !15;
    // SAFETY: `top` lies on this thread's native stack below everything in use there (the stack
    // pointer stored when the thread left it); `saved` is a local; `run` gets the `Call` it expects.
    unsafe { dstd_stack_enter(run::<F, R>, core::ptr::from_mut(call).cast(), top, &raw mut saved) };
}
