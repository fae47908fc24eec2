//! `sigaction` and `signal`: handlers run on the alternate stack, and ours for `SIGSEGV` stays.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

use libc::{sighandler_t, sigset_t};

use super::super::next::Next;
use super::mask;
use crate::context;
use crate::stack::on_native;

type SigAction = unsafe extern "C" fn(c_int, *const libc::sigaction, *mut libc::sigaction) -> c_int;

static SIGACTION: Next = Next::new(c"sigaction");
static SIGNAL: Next = Next::new(c"signal");

/// What the program wants done with `SIGSEGV`.
static HANDLER: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);
static FLAGS: AtomicI32 = AtomicI32::new(0);
/// The first 64 signals: those that exist.
static MASK: AtomicU64 = AtomicU64::new(0);

/// The program's action for `SIGSEGV`.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) handler: sighandler_t,
    pub(super) flags: c_int,
    pub(super) mask: u64,
}

impl Wish {
    pub(super) fn get() -> Wish {
        // Acquire: pairs with the release in `set`, so that the flags are those of this handler or newer ones.
        let handler = HANDLER.load(Ordering::Acquire);
        Wish { handler, flags: FLAGS.load(Ordering::Relaxed), mask: MASK.load(Ordering::Relaxed) }
    }

    pub(super) fn set(self) {
        FLAGS.store(self.flags, Ordering::Relaxed);
        MASK.store(self.mask, Ordering::Relaxed);
        HANDLER.store(self.handler, Ordering::Release);
    }

    pub(super) fn from_c(action: &libc::sigaction) -> Wish {
        let mask = mask::bits(&action.sa_mask);
        Wish { handler: action.sa_sigaction, flags: action.sa_flags, mask }
    }

    fn to_c(self) -> libc::sigaction {
        let sa_mask = mask::set_of(self.mask);
        libc::sigaction { sa_sigaction: self.handler, sa_mask, sa_flags: self.flags, sa_restorer: None }
    }
}

/// Whether our handler for `SIGSEGV` is in place: in a node of several, and in its children.
fn is_ours() -> bool {
    context::cluster().is_some() || context::is_child()
}

/// libc's own `sigaction`.
pub(super) fn kernel(
    signal: c_int,
    new: Option<&libc::sigaction>,
    old: Option<&mut libc::sigaction>,
) -> c_int {
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, SigAction>(SIGACTION.get()) };
    let (new, old) = (
        new.map_or(core::ptr::null(), core::ptr::from_ref),
        old.map_or(core::ptr::null_mut(), core::ptr::from_mut),
    );
    // SAFETY: null or borrowed for the call; what a handler may do is its maker's business.
    unsafe { next(signal, new, old) }
}

/// libc's `sigaction`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn sigaction(
    signal: c_int,
    new: *const libc::sigaction,
    old: *mut libc::sigaction,
) -> c_int {
    // SAFETY: null or valid, by the rules of sigaction.
    let wanted = unsafe { new.as_ref() }.copied();
    let mut before = Wish { handler: libc::SIG_DFL, flags: 0, mask: 0 }.to_c();
    if !is_ours() {
        let result = kernel(signal, wanted.as_ref(), Some(&mut before));
        if result == 0 && !old.is_null() {
            // SAFETY: valid for writes, by the rules of sigaction.
            unsafe { old.write(before) };
        }
        return result;
    }
    let result = if signal == libc::SIGSEGV {
        before = Wish::get().to_c();
        if let Some(wanted) = &wanted {
            Wish::from_c(wanted).set();
        }
        0
    } else {
        on_native(|| {
            let wanted = wanted.map(|mut action| {
                action.sa_flags |= libc::SA_ONSTACK;
                action.sa_mask = mask::without_segv(action.sa_mask);
                action
            });
            // A copy in private memory: the kernel writes it.
            let mut found = before;
            let result = kernel(signal, wanted.as_ref(), Some(&mut found));
            before = found;
            result
        })
    };
    if result == 0 && !old.is_null() {
        // SAFETY: valid for writes, by the rules of sigaction.
        unsafe { old.write(before) };
    }
    result
}

/// libc's `signal`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn signal(number: c_int, handler: sighandler_t) -> sighandler_t {
    if !is_ours() {
        type Signal = unsafe extern "C" fn(c_int, sighandler_t) -> sighandler_t;
        // SAFETY: libc's function of this name has this type.
        let next = unsafe { core::mem::transmute::<*mut c_void, Signal>(SIGNAL.get()) };
        // SAFETY: the caller's promise.
        return unsafe { next(number, handler) };
    }
    let mut mask: sigset_t = mask::set_of(0);
    // A number that is none is refused below.
    // SAFETY: the set is valid.
    unsafe { libc::sigaddset(&raw mut mask, number) };
    let new = libc::sigaction {
        sa_sigaction: handler,
        sa_mask: mask,
        sa_flags: libc::SA_RESTART,
        sa_restorer: None,
    };
    let mut old = new;
    // SAFETY: both are valid; the caller vouches for the handler.
    if unsafe { sigaction(number, &raw const new, &raw mut old) } != 0 {
        return libc::SIG_ERR;
    }
    old.sa_sigaction
}

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    sigaction as *const ()
}
