//! The runtime's handler for `SIGSEGV`: pages first, then the program's handler, then the end.

use core::ffi::{c_int, c_void};

use dstd_addr::PAGE_BYTES;
use libc::{siginfo_t, ucontext_t};

use super::action::{Wish, kernel};
use super::mask;
use crate::fatal::Line;
use crate::{context, fork, page, raw, record};

/// Boot: puts the handler in place. What a constructor of the program has asked for stays its wish.
pub(crate) fn install() {
    // SAFETY: all-zero is a valid action.
    let mut before: libc::sigaction = unsafe { core::mem::zeroed() };
    let ours = libc::sigaction {
        sa_sigaction: on_segv as *const () as usize,
        sa_mask: mask::set_of(u64::MAX),
        sa_flags: libc::SA_SIGINFO | libc::SA_ONSTACK,
        sa_restorer: None,
    };
    if kernel(libc::SIGSEGV, Some(&ours), Some(&mut before)) == 0 {
        Wish::from_c(&before).set();
    }
}

extern "C" fn on_segv(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes it to a handler with SA_SIGINFO.
    let code = unsafe { (*info).si_code };
    // SAFETY: as above.
    let machine = unsafe { &*context.cast::<ucontext_t>() };
    let by_touch = code == SEGV_MAPERR || code == SEGV_ACCERR;
    // SAFETY: as above.
    let told = unsafe { &*info };
    // SAFETY: such a signal carries an address.
    let address = by_touch.then(|| unsafe { told.si_addr() } as u64);
    if let Some(address) = address
        && fork::serve(address)
    {
        return;
    }
    if let Some(address) = address
        && !context::is_child()
        && page::serve_signal(
            address,
            machine.uc_mcontext.gregs[libc::REG_ERR as usize] & WRITE != 0,
            page::At {
                instruction: machine.uc_mcontext.gregs[libc::REG_RIP as usize] as u64,
                stack: machine.uc_mcontext.gregs[libc::REG_RSP as usize] as u64,
            },
        )
    {
        return;
    }
    let wish = Wish::get();
    // From here on user memory is touched, in the program's handler or in its name.
    let blocked = mask::bits(&machine.uc_sigmask) | wish.mask | 1 << (signal - 1);
    mask::set(mask::unblock_segv(blocked));
    match wish.handler {
        libc::SIG_DFL | libc::SIG_IGN => {
            if let Some(address) = address {
                report_overflow(address);
            } else if wish.handler == libc::SIG_IGN {
                return;
            }
            end_by(signal, address.is_none());
        }
        handler => {
            if wish.flags & libc::SA_RESETHAND != 0 {
                Wish { handler: libc::SIG_DFL, flags: 0, mask: 0 }.set();
            }
            // SAFETY: the program has given this function as a handler, with these flags. One without SA_SIGINFO
            // ignores the registers of the other arguments.
            let handler = unsafe {
                core::mem::transmute::<usize, extern "C" fn(c_int, *mut siginfo_t, *mut c_void)>(handler)
            };
            handler(signal, info, context);
        }
    }
}

const SEGV_MAPERR: c_int = 1;
const SEGV_ACCERR: c_int = 2;
/// In the error code of a page fault: the access was a write.
const WRITE: i64 = 2;

/// Lets the kernel do what it does without a handler: when the touch is repeated, or else (`again`) by another signal.
fn end_by(signal: c_int, again: bool) {
    // SAFETY: all-zero is a valid action: the default.
    let default: libc::sigaction = unsafe { core::mem::zeroed() };
    kernel(signal, Some(&default), None);
    if again {
        // SAFETY: no memory is involved.
        let process = unsafe { libc::getpid() };
        // SAFETY: as above.
        let thread = unsafe { libc::gettid() };
        // SAFETY: sends a signal to this thread.
        unsafe {
            raw::syscall(libc::SYS_tgkill, [process as usize, thread as usize, signal as usize, 0, 0, 0])
        };
    }
}

/// Ends the program as std does when `address` is in the guard page of the running thread's stack. On node 0 std's own
/// handler does it: only there std's start has run.
fn report_overflow(address: u64) {
    let Some((start, _)) = record::current().and_then(record::Record::stack) else { return };
    if !(start - PAGE_BYTES..start).contains(&address) {
        return;
    }
    // SAFETY: no memory is involved.
    let id = unsafe { libc::gettid() };
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("<unknown>");
    let line = Line::new(format_args!(
        "\nthread '{name}' ({id}) has overflowed its stack\nfatal runtime error: stack overflow, aborting\n"
    ));
    raw::write_stderr(line.bytes());
    std::process::abort()
}
