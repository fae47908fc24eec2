//! libc's functions that set limits: a node's descriptors end where its range ends.
//!
//! A higher limit is taken for that end, without a word: programs that ask for more do it to have
//! enough, and go on with what they get.

use libc::{c_int, c_uint, pid_t, rlimit};

use super::calls::call;
use super::foreign::own;

#[unsafe(no_mangle)]
unsafe extern "C" fn setrlimit(resource: c_uint, new: *const rlimit) -> c_int {
    // SAFETY: the caller keeps the rules of setrlimit; 0 is this process.
    unsafe { prlimit(0, resource, new, core::ptr::null_mut()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn setrlimit64(resource: c_uint, new: *const rlimit) -> c_int {
    // SAFETY: the same function.
    unsafe { setrlimit(resource, new) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn prlimit(pid: pid_t, resource: c_uint, new: *const rlimit, old: *mut rlimit) -> c_int {
    let mut clamped = None;
    if resource == libc::RLIMIT_NOFILE && is_this(pid) {
        // SAFETY: null or valid, by the rules of prlimit.
        clamped = unsafe { new.as_ref() }.and_then(clamp);
    }
    let new = clamped.as_ref().map_or(new, core::ptr::from_ref);
    // SAFETY: the caller keeps the rules of prlimit; prlimit64 uses libc's rlimit on 64-bit Linux.
    unsafe {
        call(libc::SYS_prlimit64, [pid as usize, resource as usize, new as usize, old as usize]) as c_int
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn prlimit64(pid: pid_t, resource: c_uint, new: *const rlimit, old: *mut rlimit) -> c_int {
    // SAFETY: the same function.
    unsafe { prlimit(pid, resource, new, old) }
}

fn is_this(pid: pid_t) -> bool {
    // SAFETY: always succeeds.
    pid == 0 || pid == unsafe { libc::getpid() }
}

/// What `limit` becomes on a node; `None` when it stays.
fn clamp(limit: &rlimit) -> Option<rlimit> {
    let end = own()?.end.into();
    // A soft limit above the hard one is the kernel's to refuse.
    (end < limit.rlim_cur && limit.rlim_cur <= limit.rlim_max)
        .then_some(rlimit { rlim_cur: end, rlim_max: limit.rlim_max })
}

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    setrlimit as *const ()
}
