//! libc's functions that make descriptors: each gets a number of this node's range.

use core::ffi::c_char;

use libc::{c_int, c_uint, mode_t, msghdr, sigset_t, sockaddr, socklen_t, ssize_t};

use super::calls::{KERNEL_SIGSET_BYTES, at_owner, call, fail};
use super::elsewhere::{self, Call};
use super::foreign::{is_foreign, own, refused};
use super::pinned;
use super::settle::{fill_holes, settled, settled_pair};

/// Functions that are the system call named behind them and return a descriptor; those parameters that are descriptors stand in front, in brackets.
/// A name behind `at` is that of the call at another node's descriptor.
macro_rules! making_calls {
    ($($name:ident = $number:ident $(at $call:ident)? $([$fd:ident])* ($($arg:ident: $type:ty),*);)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($fd: c_int,)* $($arg: $type),*) -> c_int {
            if false $(|| is_foreign($fd))* {
                let args = [$($fd as usize,)* $($arg as usize),*];
                // SAFETY: the caller keeps the rules of the libc function.
                return unsafe {
                    elsewhere::call(stringify!($name), at_owner!($($call)?), &[$($fd),*], args) as c_int
                };
            }
            // SAFETY: the caller keeps the rules of the libc function, which are those of the system call.
            let made = unsafe { call(libc::$number, [$($fd as usize,)* $($arg as usize),*]) };
            settled(made) as c_int
        }
    )*};
}

making_calls! {
    creat = SYS_creat (path: *const c_char, mode: mode_t);
    creat64 = SYS_creat (path: *const c_char, mode: mode_t);
    dup = SYS_dup at Duplicate [fd] ();

    socket = SYS_socket (domain: c_int, kind: c_int, protocol: c_int);
    accept = SYS_accept at Accept [fd] (from: *mut sockaddr, len: *mut socklen_t);
    accept4 = SYS_accept4 at AcceptWith [fd] (from: *mut sockaddr, len: *mut socklen_t, flags: c_int);

    epoll_create = SYS_epoll_create (size: c_int);
    epoll_create1 = SYS_epoll_create1 (flags: c_int);
    eventfd = SYS_eventfd2 (value: c_uint, flags: c_int);
    timerfd_create = SYS_timerfd_create (clock: c_int, flags: c_int);
    memfd_create = SYS_memfd_create (name: *const c_char, flags: c_uint);
    inotify_init = SYS_inotify_init ();
    inotify_init1 = SYS_inotify_init1 (flags: c_int);
}

/// The functions that open a path: one of a directory, or of the working directory.
macro_rules! opening_calls {
    ($($name:ident = $number:ident $([$dir:ident])?;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($dir: c_int,)? path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
            if pinned::refuses_open(flags, stringify!($name)) {
                return fail(libc::EINVAL) as c_int;
            }
            if false $(|| refused($dir, stringify!($name)))? {
                return fail(libc::EBADF) as c_int;
            }
            // SAFETY: the caller keeps the rules of the libc function, which are those of the system call.
            let made = unsafe {
                call(libc::$number, [$($dir as usize,)? path as usize, flags as usize, mode as usize])
            };
            settled(made) as c_int
        }
    )*};
}

opening_calls! {
    open = SYS_open;
    open64 = SYS_open;
    openat = SYS_openat [dir];
    openat64 = SYS_openat [dir];
}

#[unsafe(no_mangle)]
unsafe extern "C" fn signalfd(fd: c_int, signals: *const sigset_t, flags: c_int) -> c_int {
    if refused(fd, "signalfd") {
        return fail(libc::EBADF) as c_int;
    }
    let args = [fd as usize, signals as usize, KERNEL_SIGSET_BYTES, flags as usize];
    // SAFETY: the caller keeps the rules of signalfd.
    settled(unsafe { call(libc::SYS_signalfd4, args) }) as c_int
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pipe(ends: *mut c_int) -> c_int {
    // SAFETY: the same function.
    unsafe { pipe2(ends, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pipe2(ends: *mut c_int, flags: c_int) -> c_int {
    // SAFETY: the caller keeps the rules of pipe2.
    let result = unsafe { call(libc::SYS_pipe2, [ends as usize, flags as usize]) };
    // SAFETY: the result is that of the call.
    unsafe { settled_pair(result, ends) as c_int }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn socketpair(domain: c_int, kind: c_int, protocol: c_int, ends: *mut c_int) -> c_int {
    let args = [domain as usize, kind as usize, protocol as usize, ends as usize];
    // SAFETY: the caller keeps the rules of socketpair.
    let result = unsafe { call(libc::SYS_socketpair, args) };
    // SAFETY: the result is that of the call.
    unsafe { settled_pair(result, ends) as c_int }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
    if is_foreign(fd) {
        let args = [fd as usize, message as usize, flags as usize];
        // SAFETY: the caller keeps the rules of recvmsg.
        return unsafe { elsewhere::call("recvmsg", Some(Call::ReceiveMessage), &[fd], args) };
    }
    // A message with room for control data may bring descriptors, in a format that leaves no room for failure.
    // SAFETY: null or valid, by the rules of recvmsg.
    if own().is_some() && unsafe { message.as_ref() }.is_some_and(|message| message.msg_controllen > 0) {
        fill_holes();
    }
    // SAFETY: the caller keeps the rules of recvmsg.
    unsafe { call(libc::SYS_recvmsg, [fd as usize, message as usize, flags as usize]) }
}

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    open as *const ()
}
