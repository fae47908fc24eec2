//! What makes the kernel hold on to the pages of a buffer is refused where pages leave.
//!
//! With `--no-direct` a page that goes to another node is unmapped here. What the kernel has pinned, it would go on
//! reading or writing, and nobody would see it. In a domain no page ever leaves, and all of this works.
//!
//! | call | fails with | what the program usually does then |
//! |---|---|---|
//! | `open` and `F_SETFL` with `O_DIRECT` | `EINVAL`, as file systems say that cannot do it | opens without |
//! | `io_uring_setup` | `ENOSYS` | uses threads or epoll |
//! | `vmsplice`, `process_vm_readv`, `process_vm_writev` | `ENOSYS` | reads and writes |
//! | `SO_ZEROCOPY` | `EOPNOTSUPP` | sends copies; `MSG_ZEROCOPY` alone asks for nothing |

use core::sync::atomic::{AtomicU32, Ordering};

use libc::{c_int, c_long, c_uint, c_ulong, c_void, iovec, pid_t, size_t, ssize_t};

use super::calls::{call, fail};
use crate::fatal::Line;
use crate::{context, raw};

/// Whether pages leave this node.
fn pages_leave() -> bool {
    context::cluster().is_some_and(|context| !context.direct)
}

/// Whether `open` may not open with these flags.
#[inline]
pub(super) fn refuses_open(flags: c_int, name: &str) -> bool {
    flags & libc::O_DIRECT != 0 && refuses("O_DIRECT", name, 0)
}

/// Whether `fd` may not get these flags.
#[inline]
pub(super) fn refuses_flags(fd: c_int, flags: c_int, name: &str) -> bool {
    flags & libc::O_DIRECT != 0 && !is_pipe(fd) && refuses("O_DIRECT", name, 0)
}

/// Whether the socket may not get this option.
#[inline]
pub(super) fn refuses_option(_: c_int, level: c_int, name: c_int) -> bool {
    (level, name) == (libc::SOL_SOCKET, libc::SO_ZEROCOPY) && refuses("SO_ZEROCOPY", "setsockopt", 1)
}

/// Whether `syscall` may not make the system call `number`.
#[inline]
pub(in crate::interpose) fn refuses_call(number: c_long) -> bool {
    match number {
        libc::SYS_io_uring_setup => refuses("io_uring", "io_uring_setup", 2),
        libc::SYS_vmsplice => refuses("vmsplice", "vmsplice", 3),
        libc::SYS_process_vm_readv | libc::SYS_process_vm_writev => {
            refuses("another process's memory", "process_vm_readv", 4)
        }
        _ => false,
    }
}

/// On a pipe the flag stands for packets.
fn is_pipe(fd: c_int) -> bool {
    let mut stat = core::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: valid for writes; a foreign descriptor is asked of its owner.
    let done = unsafe { libc::fstat(fd, stat.as_mut_ptr()) } == 0;
    // SAFETY: all-zero is valid as well.
    done && unsafe { stat.assume_init() }.st_mode & libc::S_IFMT == libc::S_IFIFO
}

/// Says once for each kind what is refused, and returns whether it is.
#[cold]
fn refuses(what: &str, name: &str, kind: u32) -> bool {
    static SAID: AtomicU32 = AtomicU32::new(0);
    if !pages_leave() {
        return false;
    }
    // Relaxed: a word of its own.
    if SAID.fetch_or(1 << kind, Ordering::Relaxed) & 1 << kind == 0 {
        let line = Line::new(format_args!(
            "dstd: {what} is refused ({name}): it pins memory that moves between nodes; run without --no-direct\n"
        ));
        raw::write_stderr(line.bytes());
    }
    true
}

#[unsafe(no_mangle)]
unsafe extern "C" fn vmsplice(fd: c_int, parts: *const iovec, count: size_t, flags: c_uint) -> ssize_t {
    if refuses_call(libc::SYS_vmsplice) {
        return fail(libc::ENOSYS);
    }
    // SAFETY: the caller keeps the rules of vmsplice.
    unsafe { call(libc::SYS_vmsplice, [fd as usize, parts as usize, count, flags as usize]) }
}

/// The functions on another process's memory.
macro_rules! foreign_memory {
    ($($name:ident = $number:ident;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            process: pid_t,
            own: *const iovec,
            own_count: c_ulong,
            other: *const iovec,
            other_count: c_ulong,
            flags: c_ulong,
        ) -> ssize_t {
            if refuses_call(libc::$number) {
                return fail(libc::ENOSYS);
            }
            let args = [
                process as usize,
                own.cast::<c_void>() as usize,
                own_count as usize,
                other.cast::<c_void>() as usize,
                other_count as usize,
                flags as usize,
            ];
            // SAFETY: the caller keeps the rules of the function.
            unsafe { call(libc::$number, args) }
        }
    )*};
}

foreign_memory! {
    process_vm_readv = SYS_process_vm_readv;
    process_vm_writev = SYS_process_vm_writev;
}

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    vmsplice as *const ()
}
