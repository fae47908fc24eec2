//! Which way page faults are served: the best that this user and this host allow.
//!
//! | way | needs | system calls on absent pages |
//! |---|---|---|
//! | userfaultfd | a right (root, `CAP_SYS_PTRACE`, or the sysctl) | wait |
//! | userfaultfd in user mode | a kernel and a sandbox that know it | fail, so they get copies |
//! | `SIGSEGV` | nothing | fail, so they get copies |
//!
//! *Why not safe code*: the memory under the program's statics and stacks is replaced.

use std::io;
use std::ops::Range;

use dstd_addr::{Layout, NodeId};
use dstd_control::stats::FaultService;

use crate::context::Context;
use crate::page::{Faults, Memory, Segv, Uffd, serve_by_signal};
use crate::{alloc, interpose, statics};

/// The memory of a node that serves page faults, and how it does.
///
/// # Errors
/// When none of the ways that are asked for works, with the reason.
///
/// # Safety
/// - No other thread exists, no user thread's stack is in use, no reference to a shared static lives.
/// - Nothing reads global memory of another node before the engine runs.
pub(super) unsafe fn serve(context: &'static Context, shared: &[Range<u64>; 2]) -> Result<Memory, String> {
    let (me, asked) = (context.me, context.config.faults);
    let (service, uffd) = choose(asked)?;
    let faults = match uffd {
        Some(uffd) => {
            // SAFETY: the caller's promise.
            unsafe { statics::take_over(me, shared) }
                .map_err(|error| format!("cannot share the statics: {error}"))?;
            alloc::reservation()
                .set_stripes_apart()
                .map_err(|error| format!("cannot set the striped range apart: {error}"))?;
            Faults::Uffd(uffd)
        }
        None => {
            // SAFETY: the caller's promise.
            let segv = unsafe { Segv::new(me, context.layout.clone(), shared) }
                .map_err(|error| format!("cannot put the global memory on files: {error}"))?;
            super::native::forbid(me, context.layout.nodes())
                .map_err(|error| format!("cannot set the address space apart: {error}"))?;
            serve_by_signal(context, true);
            Faults::Segv(segv)
        }
    };
    if service != FaultService::Kernel {
        interpose::passed::keep_from_kernel();
    }
    context.stats.set_fault_service(service);
    Memory::new(me, context.layout.clone(), faults)
        .map_err(|error| format!("cannot watch the global heap: {error}"))
}

/// In a coherence domain only strays are told, in one way or the other.
///
/// # Errors
/// What the kernel says.
pub(super) fn watch_strays(context: &'static Context, me: NodeId, layout: &Layout) -> io::Result<Memory> {
    if context.config.faults != Some(FaultService::Signal)
        && let Ok(memory) =
            Uffd::open_for_strays().and_then(|uffd| Memory::guard(me, layout.clone(), Faults::Uffd(uffd)))
    {
        return Ok(memory);
    }
    super::native::forbid(me, layout.nodes())?;
    serve_by_signal(context, false);
    Memory::guard(me, layout.clone(), Faults::Segv(Segv::for_strays(me, layout.clone())))
}

fn choose(asked: Option<FaultService>) -> Result<(FaultService, Option<Uffd>), String> {
    let kernel = || Uffd::open().map(|uffd| (FaultService::Kernel, Some(uffd)));
    let user = || Uffd::open_user_mode().map(|uffd| (FaultService::User, Some(uffd)));
    let signal = (FaultService::Signal, None);
    match asked {
        None => Ok(kernel().or_else(|_| user()).unwrap_or(signal)),
        Some(FaultService::Kernel) => kernel().map_err(|error| no_uffd(&error)),
        Some(FaultService::User) => user().map_err(|error| no_uffd(&error)),
        Some(FaultService::Signal) => Ok(signal),
    }
}

fn no_uffd(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "page faults may not be handled by this user in this way: unset DSTD_FAULTS, or run `sysctl -w vm.unprivileged_userfaultfd=1` as root".to_owned()
        }
        Some(libc::ENOSYS | libc::EINVAL) => {
            format!("this kernel's userfaultfd is missing or too old ({error}): unset DSTD_FAULTS, or use Linux 6.4 or later")
        }
        _ => format!("userfaultfd: {error}"),
    }
}
