//! The limit on descriptors, as the program sets it.

use core::ptr;

use super::{as_node, c_int, errno, open_null};

type SetLimit = unsafe extern "C" fn(*const libc::rlimit) -> c_int;

unsafe extern "C" fn by_setrlimit(new: *const libc::rlimit) -> c_int {
    // SAFETY: as for the caller.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, new) }
}

unsafe extern "C" fn by_setrlimit64(new: *const libc::rlimit) -> c_int {
    // SAFETY: as for the caller; the structures are the same.
    unsafe { libc::setrlimit64(libc::RLIMIT_NOFILE, new.cast()) }
}

unsafe extern "C" fn by_prlimit(new: *const libc::rlimit) -> c_int {
    // SAFETY: as for the caller.
    unsafe { libc::prlimit(0, libc::RLIMIT_NOFILE, new, ptr::null_mut()) }
}

unsafe extern "C" fn by_prlimit64(new: *const libc::rlimit) -> c_int {
    // SAFETY: always succeeds.
    let this = unsafe { libc::getpid() };
    // SAFETY: as for the caller; the structures are the same.
    unsafe { libc::prlimit64(this, libc::RLIMIT_NOFILE, new.cast(), ptr::null_mut()) }
}

fn limit() -> libc::rlimit {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: room for a limit.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    limit
}

#[test]
fn numbers_end_with_the_range_whatever_limit_is_asked_for() {
    for me in 0..2 {
        let reported = as_node(me, |_| {
            let before = limit();
            if before.rlim_cur >= before.rlim_max {
                return 1;
            }
            let setters: [SetLimit; 4] = [by_setrlimit, by_setrlimit64, by_prlimit, by_prlimit64];
            for (number, set) in setters.into_iter().enumerate() {
                let higher = libc::rlimit { rlim_cur: before.rlim_max, ..before };
                // SAFETY: a limit.
                if unsafe { set(&raw const higher) } != 0 {
                    return 10 + number as u8;
                }
                if limit().rlim_cur != before.rlim_cur || limit().rlim_max != before.rlim_max {
                    return 20 + number as u8;
                }
                let wrong = libc::rlimit { rlim_cur: before.rlim_max + 1, ..before };
                // SAFETY: a limit.
                if unsafe { set(&raw const wrong) } != -1 || errno() != libc::EINVAL {
                    return 30 + number as u8;
                }
                let lower = libc::rlimit { rlim_cur: before.rlim_cur - 10, ..before };
                // SAFETY: a limit.
                if unsafe { set(&raw const lower) } != 0 || limit().rlim_cur != lower.rlim_cur {
                    return 40 + number as u8;
                }
            }
            let higher = libc::rlimit { rlim_cur: before.rlim_max, ..before };
            // SAFETY: a limit.
            if unsafe { by_setrlimit(&raw const higher) } != 0 {
                return 2;
            }
            let mut last = 0;
            while let fd @ 0.. = open_null() {
                last = fd;
            }
            if u64::from(last.cast_unsigned()) + 1 == before.rlim_cur { 0 } else { 3 }
        });
        assert_eq!(reported, "");
    }
}

#[test]
fn a_forked_child_may_raise_its_limit() {
    let reported = as_node(1, |_| {
        let before = limit();
        // SAFETY: the child makes a few calls and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let higher = libc::rlimit { rlim_cur: before.rlim_max, ..before };
            // SAFETY: a limit.
            let done = unsafe { by_setrlimit(&raw const higher) } == 0 && limit().rlim_cur == before.rlim_max;
            // SAFETY: ends the child.
            unsafe { libc::_exit(if done { 0 } else { 1 }) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above.
        if unsafe { libc::waitpid(child, &raw mut status, 0) } != child || status != 0 { 1 } else { 0 }
    });
    assert_eq!(reported, "");
}
