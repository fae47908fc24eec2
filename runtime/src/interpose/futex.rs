//! The cluster futex as std calls it: through libc's `syscall`.
//!
//! A futex whose home is this node stays in the kernel, except that a wake must also reach
//! waiters of other nodes. A futex with another home is waited for at that home.
//!
//! *Why not safe code*: the arguments of a variadic C function, and the futex word.

use core::ffi::{c_int, c_long};
use core::sync::atomic::{AtomicU32, Ordering, fence};

use dstd_addr::{GlobalAddr, NodeId};

use super::passed;
use crate::context::{self, Context};
use crate::node::{FutexState, Request, remote_waiters};
use crate::record::{self, Record};
use crate::ship::fresh_id;
use crate::stack::on_native;
use crate::wait::Wait;
use crate::{alloc, raw};

/// libc's `syscall`.
///
/// # Safety
/// - As libc's: the arguments are what the call `number` expects.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    if super::fd::refuses_call(number) {
        return result_of(-(libc::ENOSYS as isize));
    }
    if number == libc::SYS_futex
        && let Some((context, _)) = context::home(a as u64)
        && context.direct
    {
        // One key for all nodes: the file behind the address.
        let shared = b & !(libc::FUTEX_PRIVATE_FLAG as usize);
        // SAFETY: the caller's promise.
        return result_of(unsafe { raw::syscall(number, [a, shared, c, d, e, f]) });
    }
    if number == libc::SYS_futex
        && let Some((context, home)) = context::home(a as u64)
        && !alloc::in_runtime()
    {
        let record = record::current().unwrap_or_else(|| on_native(super::pthread::attach_late));
        if let Some(result) = cluster_futex(context, home, record, [a, b, c, d, f]) {
            return result_of(result);
        }
        // The kernel must know all waiters at home by one key: wakes from other nodes are private.
        let private = b | libc::FUTEX_PRIVATE_FLAG as usize;
        if passed::is_needed() {
            let waits = waits(b);
            // SAFETY: the caller's promise; the words lie in this process's memory.
            let result = on_native(|| unsafe { passed::touch::futex([a, private, c, d, e, f], waits) });
            return result_of(result);
        }
        // SAFETY: the caller's promise; the words lie in this process's memory.
        return result_of(unsafe { raw::syscall(number, [a, private, c, d, e, f]) });
    }
    let all = [a, b, c, d, e, f];
    let args = if number == libc::SYS_futex { of_futex(all) } else { all };
    // SAFETY: the caller's promise.
    result_of(unsafe { passed::syscall(number, args) })
}

/// A futex call without what the kernel is known not to look at: that is what the caller's registers happened to hold,
/// perhaps an address where nothing is mapped, and [`passed`] would touch it.
fn of_futex([word, op, value, time, second, third]: [usize; 6]) -> [usize; 6] {
    let (time, second) = match command(op) {
        libc::FUTEX_WAKE | libc::FUTEX_WAKE_BITSET | libc::FUTEX_UNLOCK_PI | libc::FUTEX_TRYLOCK_PI => (0, 0),
        _ if waits(op) => (time, 0),
        _ => (time, second),
    };
    // The kernel takes 32 bits of the values, whatever the operation.
    [word, op, value as u32 as usize, time, second, third as u32 as usize]
}

/// Whether a futex call is about one word, with a time or none as its fourth argument.
fn waits(op: usize) -> bool {
    let waiting = [libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET, libc::FUTEX_LOCK_PI, libc::FUTEX_LOCK_PI2];
    waiting.contains(&command(op))
}

/// The operation of a futex call, without its flags.
fn command(op: usize) -> c_int {
    op as c_int & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME)
}

fn result_of(result: isize) -> c_long {
    if (-4095..0).contains(&result) {
        // SAFETY: the address of this thread's errno.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: valid for the thread's life.
        unsafe { *errno = -result as c_int };
        return -1;
    }
    result as c_long
}

/// `-errno` or the result; `None` leaves the call to the kernel.
fn cluster_futex(
    context: &'static Context,
    home: NodeId,
    record: &'static Record,
    [word, op, value, timeout, bitset]: [usize; 5],
) -> Option<isize> {
    let command = command(op);
    let here = home == context.me;
    let bits = match command {
        libc::FUTEX_WAIT | libc::FUTEX_WAKE => u32::MAX,
        _ => bitset as u32,
    };
    match command {
        // The kernel queues it here; wakes of other nodes come to this node's engine.
        libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET if here => None,
        libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET => {
            let deadline = deadline_ns(command, op as c_int, timeout)?;
            Some(wait(context, record, word, value as u32, bits, deadline))
        }
        libc::FUTEX_WAKE | libc::FUTEX_WAKE_BITSET => {
            // SeqCst: the caller's store to the word comes before this look, and a waiter that is
            // counted later looks at the word again (`FutexArmed`), so one of the two sees the other.
            fence(Ordering::SeqCst);
            if here && remote_waiters() == 0 {
                return None;
            }
            Some(wake(context, record, word, value as u32, bits))
        }
        _ if here && remote_waiters() == 0 => None,
        // FUTEX_REQUEUE and the priority-inheritance calls between nodes.
        _ => Some(-(libc::ENOSYS as isize)),
    }
}

/// The absolute monotonic deadline of a wait: `Some(None)` for none; `None` when the kernel has
/// to decide what the timeout means.
fn deadline_ns(command: c_int, op: c_int, timeout: usize) -> Option<Option<u64>> {
    if timeout == 0 {
        return Some(None);
    }
    // SAFETY: the caller of `syscall` passes a valid timespec, or null, which was handled.
    let time = unsafe { *(timeout as *const libc::timespec) };
    let nanos = (time.tv_sec.max(0) as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64);
    if command == libc::FUTEX_WAIT {
        return Some(Some(raw::now_ns().saturating_add(nanos)));
    }
    if op & libc::FUTEX_CLOCK_REALTIME == 0 {
        return Some(Some(nanos));
    }
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the timespec is writable.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) };
    let now = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
    Some(Some(raw::now_ns().saturating_add(nanos.saturating_sub(now))))
}

/// The word, read as the kernel would read it.
fn load(word: usize) -> u32 {
    // SAFETY: the caller of the futex call vouches for the word; it is global memory.
    unsafe { AtomicU32::from_ptr(word as *mut u32) }.load(Ordering::SeqCst)
}

fn wait(
    context: &'static Context,
    record: &'static Record,
    word: usize,
    expected: u32,
    bitset: u32,
    deadline: Option<u64>,
) -> isize {
    // An early look saves the round trip.
    if load(word) != expected {
        return -(libc::EAGAIN as isize);
    }
    on_native(|| {
        let token = fresh_id();
        let addr = GlobalAddr(word as u64);
        let wait = &record.wait;
        wait.arm();
        context.queue.push(Request::FutexWait { wait, token, addr, bitset });
        let armed = wait.wait_while(Wait::PENDING, None);
        // The waiter is queued: whoever changes the word from now on, and wakes, finds it.
        let differs = load(word) != expected;
        if armed == FutexState::WOKEN {
            if differs {
                // A wake was spent on a waiter that the kernel would not have queued: pass it on.
                wake(context, record, word, 1, bitset);
                return -(libc::EAGAIN as isize);
            }
            return 0;
        }
        if !differs && wait.wait_while(FutexState::ARMED, deadline) == FutexState::WOKEN {
            return 0;
        }
        context.queue.push(Request::FutexCancel { token, pass_on: differs });
        match wait.wait_while(FutexState::ARMED, None) {
            FutexState::CANCELLED if differs => -(libc::EAGAIN as isize),
            FutexState::CANCELLED => -(libc::ETIMEDOUT as isize),
            _ if differs => {
                wake(context, record, word, 1, bitset);
                -(libc::EAGAIN as isize)
            }
            _ => 0,
        }
    })
}

fn wake(context: &'static Context, record: &'static Record, word: usize, count: u32, bitset: u32) -> isize {
    on_native(|| {
        let wait = &record.wait;
        wait.arm();
        let addr = GlobalAddr(word as u64);
        let (token, thread) = (fresh_id(), raw::thread());
        context.queue.push(Request::FutexWake { wait, token, addr, count, bitset, thread });
        wait.wait_while(Wait::PENDING, None);
        wait.value() as isize
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_gets_what_it_looks_at() {
        const GIVEN: [usize; 6] = [1, 0, 3, 4, 5, 6];
        let left = |command: c_int| {
            let mut call = GIVEN;
            call[1] = (command | libc::FUTEX_PRIVATE_FLAG) as usize;
            let of = of_futex(call);
            assert_eq!([of[0], of[1], of[2], of[5]], [1, call[1], 3, 6]);
            [of[3], of[4]]
        };
        for one_word in
            [libc::FUTEX_WAKE, libc::FUTEX_WAKE_BITSET, libc::FUTEX_UNLOCK_PI, libc::FUTEX_TRYLOCK_PI]
        {
            assert_eq!(left(one_word), [0, 0], "of {one_word}");
        }
        for timed in [libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET, libc::FUTEX_LOCK_PI, libc::FUTEX_LOCK_PI2] {
            assert_eq!(left(timed), [4, 0], "of {timed}");
            assert_eq!(left(timed | libc::FUTEX_CLOCK_REALTIME), [4, 0], "of {timed}");
        }
        const UNKNOWN: c_int = 77;
        for two_words in [
            UNKNOWN,
            libc::FUTEX_FD,
            libc::FUTEX_REQUEUE,
            libc::FUTEX_CMP_REQUEUE,
            libc::FUTEX_WAKE_OP,
            libc::FUTEX_WAIT_REQUEUE_PI,
            libc::FUTEX_CMP_REQUEUE_PI,
        ] {
            assert_eq!(left(two_words), [4, 5], "of {two_words}");
        }
    }

    #[test]
    fn values_have_32_bits() {
        let wild = usize::MAX;
        assert_eq!(
            of_futex([1, libc::FUTEX_WAKE as usize, wild, wild, wild, wild]),
            [1, libc::FUTEX_WAKE as usize, u32::MAX as usize, 0, 0, u32::MAX as usize]
        );
    }
}
