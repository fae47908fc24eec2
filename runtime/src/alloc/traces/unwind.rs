//! The calls on this thread's stack, by the unwinder that std links for panics.
//!
//! It reads tables of the program's file and the thread's own stack. It allocates nothing; with glibc before 2.35 it takes the lock of
//! `dlopen` for a moment, under which nothing of ours is called. It goes astray where a panic would: in assembly with wrong tables.
//!
//! *Invariants*: ISO-2: nothing here is locked by the runtime. *Layout*: that of the unwinder's C interface.
//! *Who may touch what, when*: a thread its own stack.
//! *Why not safe code*: it is a C interface.

use core::ffi::{c_int, c_void};
use core::ops::Range;
use core::ptr;

use dstd_control::stats::blocks::TRACE_CALLS;

/// How many calls are looked at.
pub(super) const CALLS_MAX: usize = TRACE_CALLS;

/// The unwinder's state; only pointers to it are passed.
#[repr(C)]
struct Context {
    opaque: [u8; 0],
}

unsafe extern "C" {
    fn _Unwind_Backtrace(
        visit: extern "C" fn(*mut Context, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(context: *mut Context) -> usize;
    fn _Unwind_GetCFA(context: *mut Context) -> usize;
}

const GO_ON: c_int = 0;
const END_OF_STACK: c_int = 5;

/// Return addresses, the innermost first, and where on the stack each was.
#[derive(Clone, Copy)]
pub(super) struct Chain {
    calls: [u64; CALLS_MAX],
    /// Counted from where the chain was asked for.
    places: [u32; CALLS_MAX],
    len: usize,
    is_recognisable: bool,
}

struct Walk {
    chain: Chain,
    frames: Range<u64>,
}

/// The calls that led to the function in whose frame `frames` begins. The chain can be recognised where its return addresses
/// lie in `frames`.
///
/// # Safety
/// - From the end of the caller's frame to its own end, if that is not before, `frames` must be memory of this thread's stack.
pub(super) unsafe fn chain(frames: Range<u64>) -> Chain {
    let mut walk = Walk { chain: Chain::empty(), frames };
    // SAFETY: `visit` takes a pointer to `Walk` as its argument and does not unwind; the unwinder calls it before it returns only.
    unsafe { _Unwind_Backtrace(visit, (&raw mut walk).cast()) };
    walk.chain
}

extern "C" fn visit(context: *mut Context, walk: *mut c_void) -> c_int {
    // SAFETY: `chain` passes its own local and does not touch it meanwhile.
    let walk = unsafe { &mut *walk.cast::<Walk>() };
    // SAFETY: the unwinder's own context, valid for this call.
    let call = unsafe { _Unwind_GetIP(context) } as u64;
    // The stack pointer of that function when the call returns: the return address is just below.
    // SAFETY: as above.
    let stack = unsafe { _Unwind_GetCFA(context) } as u64;
    let place = stack.wrapping_sub(8);
    let from = walk.frames.start;
    if walk.chain.len == 0 && place <= from {
        // A frame between the unwinder and the one that asked.
        return GO_ON;
    }
    // A user thread's stack begins where its native stack, which lies far above, was left: what is there is the runtime's.
    let is_beyond = place > from && place - from > u64::from(u32::MAX);
    if call == 0 || is_beyond {
        return END_OF_STACK;
    }
    let is_there = walk.frames.contains(&place) && place.is_multiple_of(8) && {
        // SAFETY: an aligned word of this thread's stack (the contract of `chain`).
        call == unsafe { ptr::with_exposed_provenance::<u64>(place as usize).read_volatile() }
    };
    walk.chain.push(call, is_there.then(|| place - from));
    if walk.chain.len < CALLS_MAX { GO_ON } else { END_OF_STACK }
}

impl Chain {
    pub(super) fn empty() -> Chain {
        Chain { calls: [0; CALLS_MAX], places: [0; CALLS_MAX], len: 0, is_recognisable: true }
    }

    /// The chain of these calls and places.
    pub(super) fn of(calls: impl Iterator<Item = (u64, u32)>) -> Chain {
        let mut chain = Chain::empty();
        calls.take(CALLS_MAX).for_each(|(call, place)| chain.push(call, Some(place.into())));
        chain
    }

    pub(super) fn calls(&self) -> &[u64] {
        &self.calls[..self.len]
    }

    pub(super) fn places(&self) -> &[u32] {
        &self.places[..self.len]
    }

    /// Whether each call is found again at its place: not so where a stack was changed on the way, or a signal came.
    pub(super) fn is_recognisable(&self) -> bool {
        self.is_recognisable && self.len > 0
    }

    fn push(&mut self, call: u64, place: Option<u64>) {
        let place = place.and_then(|place| u32::try_from(place).ok());
        self.calls[self.len] = call;
        self.places[self.len] = place.unwrap_or(0);
        self.is_recognisable &= place.is_some();
        self.len += 1;
    }
}
