//! Gives a node its range of descriptors.

use core::ptr;
use std::io;

use dstd_addr::NodeId;
use libc::c_int;

use super::Stride;
use super::fillers::{check, fill_up_to};
use super::foreign;
use crate::raw;

/// How many descriptors a process can have on this host, raised to `wanted` where that is permitted.
///
/// # Errors
/// The kernel does not tell.
pub(crate) fn hard_limit(wanted: u64) -> io::Result<u64> {
    let limit = limits()?;
    if limit.rlim_max >= wanted {
        return Ok(limit.rlim_max);
    }
    match set_limits(libc::rlimit { rlim_cur: limit.rlim_cur, rlim_max: wanted }) {
        Ok(()) => Ok(wanted),
        // Not permitted: the plan goes by what there is.
        Err(_) => Ok(limit.rlim_max),
    }
}

/// Gives node `me` of `nodes` its range: what it opens from now on gets numbers there, and calls on the numbers of
/// other nodes are refused. Descriptors that are open stay where they are.
///
/// With one node nothing changes.
///
/// # Errors
/// The limit on descriptors cannot be set, or a filler cannot be opened (`/dev/null` is missing).
///
/// # Safety
/// - No other thread exists, and this is called once.
pub(crate) unsafe fn setup(me: NodeId, nodes: u16, stride: Stride) -> io::Result<()> {
    if nodes < 2 {
        return Ok(());
    }
    let own = stride.range(me);
    set_limits(libc::rlimit { rlim_cur: own.end.into(), rlim_max: limits()?.rlim_max })?;
    if me != NodeId::ZERO {
        fill_up_to(own.start as c_int)?;
    }
    // A forked child is no node, and until it becomes another program it may put descriptors where it likes.
    // SAFETY: the handler stores to atomics only.
    if unsafe { libc::pthread_atfork(None, None, Some(foreign::forget)) } != 0 {
        return Err(io::Error::from_raw_os_error(libc::ENOMEM));
    }
    foreign::set_own(me, nodes, stride);
    Ok(())
}

fn limits() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    limit_call(ptr::null(), &raw mut limit).map(|()| limit)
}

fn set_limits(limit: libc::rlimit) -> io::Result<()> {
    limit_call(&raw const limit, ptr::null_mut())
}

fn limit_call(new: *const libc::rlimit, old: *mut libc::rlimit) -> io::Result<()> {
    let args = [0, libc::RLIMIT_NOFILE as usize, new as usize, old as usize, 0, 0];
    // SAFETY: both are null or valid for the call; prlimit64 uses libc's rlimit on 64-bit Linux.
    check(unsafe { raw::syscall(libc::SYS_prlimit64, args) }).map(drop)
}
