//! Alternate stacks: where signal handlers of user threads run.
//!
//! *Invariants*: ISO-2. The kernel pushes a handler's frame itself, so that stack is private memory, which is
//! always there. *Layout*: a guard page, then the stack. *Who may touch what*: as the partition stack with which
//! it goes. *Why not safe code*: mappings, and a system call with their address.

use dstd_addr::PAGE_BYTES;

use crate::raw;

/// Room for a handler that formats a backtrace. Untouched pages cost nothing.
const BYTES: u64 = 512 << 10;

/// One alternate stack; it is never unmapped.
#[derive(Debug)]
pub(super) struct Alternate {
    start: u64,
}

impl Alternate {
    /// Maps one; `None` when the kernel gives no memory.
    pub(super) fn map() -> Option<Alternate> {
        let len = (PAGE_BYTES + BYTES) as usize;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh mapping wherever the kernel likes.
        let at = unsafe { libc::mmap(core::ptr::null_mut(), len, protection, flags, -1, 0) };
        if at == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the first page of what was just mapped.
        if unsafe { libc::mprotect(at, PAGE_BYTES as usize, libc::PROT_NONE) } != 0 {
            // SAFETY: just mapped, unused.
            unsafe { libc::munmap(at, len) };
            return None;
        }
        Some(Alternate { start: at as u64 + PAGE_BYTES })
    }

    /// Makes it the running thread's.
    pub(super) fn install(&self) {
        set(&libc::stack_t { ss_sp: self.start as *mut _, ss_flags: 0, ss_size: BYTES as usize });
    }
}

/// The running thread has none any more.
pub(super) fn remove() {
    set(&libc::stack_t { ss_sp: core::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 });
}

fn set(stack: &libc::stack_t) {
    let args = [core::ptr::from_ref(stack) as usize, 0, 0, 0, 0, 0];
    // SAFETY: the structure is borrowed for the call; the memory it names is mapped for ever and
    // belongs to this thread. It fails only in a handler, which runs there already.
    unsafe { raw::syscall(libc::SYS_sigaltstack, args) };
}
