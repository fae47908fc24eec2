//! libc's functions on descriptors, as the program and its libraries call them.
//!
//! Each behaves as the system call of its name, with `errno`; when a descriptor is another node's, it is made there
//! (`elsewhere`) or refused. They are no cancellation points. On own descriptors they neither allocate nor lock: runtime
//! threads call them, too.

use libc::{
    c_char, c_int, c_uint, c_ulong, c_void, dev_t, epoll_event, gid_t, iovec, itimerspec, mmsghdr, mode_t,
    msghdr, off_t, off64_t, sigset_t, size_t, sockaddr, socklen_t, ssize_t, stat, timespec, uid_t,
};

use super::super::passed;
use super::elsewhere::{self, Call};
use super::foreign::{is_apart, is_foreign, refused};
use super::pinned;
use super::settle::settled;

/// Makes the call, in libc's way: -1 and `errno` when it fails.
///
/// # Safety
/// - As for [`raw::syscall`].
#[inline]
pub(super) unsafe fn call<const N: usize>(number: i64, args: [usize; N]) -> isize {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&args);
    // SAFETY: the caller's.
    let result = unsafe { passed::syscall(number, all) };
    if result < 0 { fail(-result as c_int) } else { result }
}

/// Fails in libc's way.
#[cold]
pub(in crate::interpose) fn fail(errno: c_int) -> isize {
    // SAFETY: always the address of this thread's errno.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: valid while the thread lives.
    unsafe { place.write(errno) };
    -1
}

/// Functions that are the system call named behind them; those parameters that are descriptors stand in front, in brackets.
/// A name behind `at` is that of the call at another node's descriptor.
macro_rules! system_calls {
    ($($name:ident = $number:ident $(at $call:ident)? $([$fd:ident])+ ($($arg:ident: $type:ty),*) -> $result:ty;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($fd: c_int,)+ $($arg: $type),*) -> $result {
            if $(is_foreign($fd))||+ {
                let args = [$($fd as usize,)+ $($arg as usize),*];
                // SAFETY: the caller keeps the rules of the libc function.
                return unsafe {
                    elsewhere::call(stringify!($name), at_owner!($($call)?), &[$($fd),+], args) as $result
                };
            }
            // SAFETY: the caller keeps the rules of the libc function, which are those of the system call.
            unsafe { call(libc::$number, [$($fd as usize,)+ $($arg as usize),*]) as $result }
        }
    )*};
}

/// The call at another node's descriptor, if there is one.
macro_rules! at_owner {
    () => {
        None
    };
    ($call:ident) => {
        Some(Call::$call)
    };
}
pub(super) use at_owner;

system_calls! {
    read = SYS_read at Read [fd] (to: *mut c_void, len: size_t) -> ssize_t;
    write = SYS_write at Write [fd] (from: *const c_void, len: size_t) -> ssize_t;
    readv = SYS_readv at ReadVector [fd] (to: *const iovec, count: c_int) -> ssize_t;
    writev = SYS_writev at WriteVector [fd] (from: *const iovec, count: c_int) -> ssize_t;
    pread = SYS_pread64 at ReadAt [fd] (to: *mut c_void, len: size_t, at: off_t) -> ssize_t;
    pread64 = SYS_pread64 at ReadAt [fd] (to: *mut c_void, len: size_t, at: off64_t) -> ssize_t;
    pwrite = SYS_pwrite64 at WriteAt [fd] (from: *const c_void, len: size_t, at: off_t) -> ssize_t;
    pwrite64 = SYS_pwrite64 at WriteAt [fd] (from: *const c_void, len: size_t, at: off64_t) -> ssize_t;
    preadv = SYS_preadv at ReadVectorAt [fd] (to: *const iovec, count: c_int, at: off_t) -> ssize_t;
    preadv64 = SYS_preadv at ReadVectorAt [fd] (to: *const iovec, count: c_int, at: off64_t) -> ssize_t;
    pwritev = SYS_pwritev at WriteVectorAt [fd] (from: *const iovec, count: c_int, at: off_t) -> ssize_t;
    pwritev64 = SYS_pwritev at WriteVectorAt [fd] (from: *const iovec, count: c_int, at: off64_t) -> ssize_t;

    close = SYS_close at Close [fd] () -> c_int;
    dup2 = SYS_dup2 at DuplicateTo [fd][to] () -> c_int;
    dup3 = SYS_dup3 at DuplicateToWith [fd][to] (flags: c_int) -> c_int;
    ioctl = SYS_ioctl at Ioctl [fd] (request: c_ulong, arg: *mut c_void) -> c_int;

    lseek = SYS_lseek at Seek [fd] (offset: off_t, whence: c_int) -> off_t;
    lseek64 = SYS_lseek at Seek [fd] (offset: off64_t, whence: c_int) -> off64_t;
    fstat = SYS_fstat at Stat [fd] (to: *mut stat) -> c_int;
    fstat64 = SYS_fstat at Stat [fd] (to: *mut stat) -> c_int;
    fsync = SYS_fsync at Sync [fd] () -> c_int;
    fdatasync = SYS_fdatasync at SyncData [fd] () -> c_int;
    ftruncate = SYS_ftruncate at SetLength [fd] (len: off_t) -> c_int;
    ftruncate64 = SYS_ftruncate at SetLength [fd] (len: off64_t) -> c_int;
    fallocate = SYS_fallocate at Allocate [fd] (mode: c_int, at: off_t, len: off_t) -> c_int;
    fallocate64 = SYS_fallocate at Allocate [fd] (mode: c_int, at: off64_t, len: off64_t) -> c_int;
    flock = SYS_flock at Lock [fd] (operation: c_int) -> c_int;
    fchmod = SYS_fchmod at SetMode [fd] (mode: mode_t) -> c_int;
    fchown = SYS_fchown at SetOwner [fd] (owner: uid_t, group: gid_t) -> c_int;

    fstatat = SYS_newfstatat at StatAt [dir] (path: *const c_char, to: *mut stat, flags: c_int) -> c_int;
    fstatat64 = SYS_newfstatat at StatAt [dir] (path: *const c_char, to: *mut stat, flags: c_int) -> c_int;
    statx = SYS_statx at StatX [dir] (path: *const c_char, flags: c_int, mask: c_uint, to: *mut libc::statx) -> c_int;
    unlinkat = SYS_unlinkat [dir] (path: *const c_char, flags: c_int) -> c_int;
    mkdirat = SYS_mkdirat [dir] (path: *const c_char, mode: mode_t) -> c_int;
    mknodat = SYS_mknodat [dir] (path: *const c_char, mode: mode_t, device: dev_t) -> c_int;
    readlinkat = SYS_readlinkat [dir] (path: *const c_char, to: *mut c_char, len: size_t) -> ssize_t;

    sendfile = SYS_sendfile at SendFile [to][from] (at: *mut off_t, len: size_t) -> ssize_t;
    sendfile64 = SYS_sendfile at SendFile [to][from] (at: *mut off64_t, len: size_t) -> ssize_t;

    sendto = SYS_sendto at SendTo [fd] (
        from: *const c_void, len: size_t, flags: c_int, to: *const sockaddr, to_len: socklen_t
    ) -> ssize_t;
    recvfrom = SYS_recvfrom at ReceiveFrom [fd] (
        to: *mut c_void, len: size_t, flags: c_int, from: *mut sockaddr, from_len: *mut socklen_t
    ) -> ssize_t;
    // The two arguments that these lack are 0 in the system call.
    send = SYS_sendto at SendTo [fd] (from: *const c_void, len: size_t, flags: c_int) -> ssize_t;
    recv = SYS_recvfrom at ReceiveFrom [fd] (to: *mut c_void, len: size_t, flags: c_int) -> ssize_t;
    sendmmsg = SYS_sendmmsg [fd] (messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int;
    recvmmsg = SYS_recvmmsg [fd] (
        messages: *mut mmsghdr, count: c_uint, flags: c_int, timeout: *mut timespec
    ) -> c_int;
    listen = SYS_listen at Listen [fd] (backlog: c_int) -> c_int;
    connect = SYS_connect at Connect [fd] (to: *const sockaddr, len: socklen_t) -> c_int;
    bind = SYS_bind at Bind [fd] (to: *const sockaddr, len: socklen_t) -> c_int;
    shutdown = SYS_shutdown at Shutdown [fd] (how: c_int) -> c_int;
    getsockopt = SYS_getsockopt at GetOption [fd] (
        level: c_int, name: c_int, value: *mut c_void, len: *mut socklen_t
    ) -> c_int;
    getsockname = SYS_getsockname at OwnName [fd] (to: *mut sockaddr, len: *mut socklen_t) -> c_int;
    getpeername = SYS_getpeername at PeerName [fd] (to: *mut sockaddr, len: *mut socklen_t) -> c_int;

    epoll_wait = SYS_epoll_wait [fd] (to: *mut epoll_event, count: c_int, timeout_ms: c_int) -> c_int;
    timerfd_settime = SYS_timerfd_settime [fd] (
        flags: c_int, new: *const itimerspec, old: *mut itimerspec
    ) -> c_int;
    timerfd_gettime = SYS_timerfd_gettime [fd] (to: *mut itimerspec) -> c_int;
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fcntl(fd: c_int, command: c_int, arg: usize) -> c_int {
    if command == libc::F_SETFL && pinned::refuses_flags(fd, arg as c_int, "fcntl") {
        return fail(libc::EINVAL) as c_int;
    }
    if is_foreign(fd) {
        let makes = matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC);
        let call = if makes { Call::ControlDuplicate } else { Call::Control };
        // SAFETY: the caller keeps the rules of fcntl.
        return unsafe {
            elsewhere::call("fcntl", Some(call), &[fd], [fd as usize, command as usize, arg]) as c_int
        };
    }
    if command == libc::F_GETOWN {
        return owner(fd);
    }
    // SAFETY: the caller keeps the rules of fcntl. A command without an argument ignores it.
    let result = unsafe { call(libc::SYS_fcntl, [fd as usize, command as usize, arg]) };
    if matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) {
        return settled(result) as c_int;
    }
    result as c_int
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fcntl64(fd: c_int, command: c_int, arg: usize) -> c_int {
    // SAFETY: the same function.
    unsafe { fcntl(fd, command, arg) }
}

/// The owner of `fd`'s signals. The plain command returns a process group as a negative number, which
/// cannot be told from an error.
fn owner(fd: c_int) -> c_int {
    const F_GETOWN_EX: usize = 16;
    const F_OWNER_PGRP: c_int = 2;
    let mut kind_and_id = [0 as c_int; 2];
    let args = [fd as usize, F_GETOWN_EX, (&raw mut kind_and_id) as usize];
    // SAFETY: the kernel writes two integers.
    if unsafe { call(libc::SYS_fcntl, args) } < 0 {
        return -1;
    }
    let [kind, id] = kind_and_id;
    if kind == F_OWNER_PGRP { -id } else { id }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    let args = [fd as usize, message as usize, flags as usize];
    if is_foreign(fd) {
        // SAFETY: the caller keeps the rules of sendmsg.
        return unsafe { elsewhere::call("sendmsg", Some(Call::SendMessage), &[fd], args) };
    }
    // SAFETY: the caller keeps the rules of sendmsg.
    if is_apart() && unsafe { elsewhere::passes_foreign(message) } {
        return fail(libc::EBADF);
    }
    // SAFETY: the caller keeps the rules of sendmsg.
    unsafe { call(libc::SYS_sendmsg, args) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    if pinned::refuses_option(fd, level, name) {
        return fail(libc::EOPNOTSUPP) as c_int;
    }
    let args = [fd as usize, level as usize, name as usize, value as usize, len as usize];
    if is_foreign(fd) {
        // SAFETY: the caller keeps the rules of setsockopt.
        return unsafe { elsewhere::call("setsockopt", Some(Call::SetOption), &[fd], args) as c_int };
    }
    // SAFETY: the caller keeps the rules of setsockopt.
    unsafe { call(libc::SYS_setsockopt, args) as c_int }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn isatty(fd: c_int) -> c_int {
    const KERNEL_TERMIOS_BYTES: usize = 64;
    let mut terminal = [0_u8; KERNEL_TERMIOS_BYTES];
    // SAFETY: the kernel writes fewer bytes.
    let result = unsafe { ioctl(fd, libc::TCGETS, terminal.as_mut_ptr().cast()) };
    c_int::from(result == 0)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn futimens(fd: c_int, times: *const timespec) -> c_int {
    if is_foreign(fd) {
        let args = [fd as usize, 0, times as usize, 0];
        // SAFETY: `times` is the caller's.
        return unsafe { elsewhere::call("futimens", Some(Call::SetTimes), &[fd], args) as c_int };
    }
    // SAFETY: without a path the call is about the descriptor; `times` is the caller's.
    unsafe { call(libc::SYS_utimensat, [fd as usize, 0, times as usize, 0]) as c_int }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn splice(
    from: c_int,
    from_at: *mut off64_t,
    to: c_int,
    to_at: *mut off64_t,
    len: size_t,
    flags: c_uint,
) -> ssize_t {
    let args = [from as usize, from_at as usize, to as usize, to_at as usize, len, flags as usize];
    if is_foreign(from) || is_foreign(to) {
        // SAFETY: the caller keeps the rules of splice.
        return unsafe { elsewhere::call("splice", Some(Call::Splice), &[from, to], args) };
    }
    // SAFETY: the caller keeps the rules of splice.
    unsafe { call(libc::SYS_splice, args) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn copy_file_range(
    from: c_int,
    from_at: *mut off64_t,
    to: c_int,
    to_at: *mut off64_t,
    len: size_t,
    flags: c_uint,
) -> ssize_t {
    let args = [from as usize, from_at as usize, to as usize, to_at as usize, len, flags as usize];
    if is_foreign(from) || is_foreign(to) {
        // SAFETY: the caller keeps the rules of copy_file_range.
        return unsafe { elsewhere::call("copy_file_range", Some(Call::CopyRange), &[from, to], args) };
    }
    // SAFETY: the caller keeps the rules of copy_file_range.
    unsafe { call(libc::SYS_copy_file_range, args) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_ctl(epoll: c_int, operation: c_int, fd: c_int, event: *mut epoll_event) -> c_int {
    if refused(epoll, "epoll_ctl") || refused(fd, "epoll_ctl") {
        return fail(libc::EBADF) as c_int;
    }
    let args = [epoll as usize, operation as usize, fd as usize, event as usize];
    // SAFETY: the caller keeps the rules of epoll_ctl.
    unsafe { call(libc::SYS_epoll_ctl, args) as c_int }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_pwait(
    epoll: c_int,
    to: *mut epoll_event,
    count: c_int,
    timeout_ms: c_int,
    signals: *const sigset_t,
) -> c_int {
    if refused(epoll, "epoll_pwait") {
        return fail(libc::EBADF) as c_int;
    }
    let args = [
        epoll as usize,
        to as usize,
        count as usize,
        timeout_ms as usize,
        signals as usize,
        KERNEL_SIGSET_BYTES,
    ];
    // SAFETY: the caller keeps the rules of epoll_pwait.
    unsafe { call(libc::SYS_epoll_pwait, args) as c_int }
}

/// The kernel's signal set: 64 bits, the first of libc's.
pub(super) const KERNEL_SIGSET_BYTES: usize = 8;

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    read as *const ()
}
