//! libc's functions that are one system call, and that would pass it the program's memory.
//!
//! Those on descriptors are in `interpose::fd`. With userfaultfd in kernel mode, and in a program of one node,
//! these do what libc's do.

use libc::{
    c_char, c_int, c_long, c_uint, clockid_t, cpu_set_t, gid_t, id_t, idtype_t, mode_t, off_t, off64_t,
    pid_t, rlimit, rusage, siginfo_t, size_t, ssize_t, timespec, uid_t, utsname,
};

use super::super::fd::{fail, refused};

/// libc's result of the system call `number`.
///
/// # Safety
/// - As for [`super::syscall`].
unsafe fn call<const N: usize>(number: c_long, args: [usize; N]) -> isize {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&args);
    // SAFETY: the caller's.
    let result = unsafe { super::syscall(number, all) };
    if result < 0 { fail(-result as c_int) } else { result }
}

/// Functions that are the system call named behind them.
macro_rules! system_calls {
    ($($name:ident = $number:ident ($($arg:ident: $type:ty),*) -> $result:ty;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($arg: $type),*) -> $result {
            // SAFETY: the caller keeps the rules of the libc function, which are those of the system call.
            unsafe { call(libc::$number, [$($arg as usize),*]) as $result }
        }
    )*};
}

system_calls! {
    stat = SYS_stat (path: *const c_char, to: *mut libc::stat) -> c_int;
    stat64 = SYS_stat (path: *const c_char, to: *mut libc::stat) -> c_int;
    lstat = SYS_lstat (path: *const c_char, to: *mut libc::stat) -> c_int;
    lstat64 = SYS_lstat (path: *const c_char, to: *mut libc::stat) -> c_int;
    statfs = SYS_statfs (path: *const c_char, to: *mut libc::statfs) -> c_int;
    statfs64 = SYS_statfs (path: *const c_char, to: *mut libc::statfs) -> c_int;
    access = SYS_access (path: *const c_char, mode: c_int) -> c_int;
    chmod = SYS_chmod (path: *const c_char, mode: mode_t) -> c_int;
    chown = SYS_chown (path: *const c_char, owner: uid_t, group: gid_t) -> c_int;
    lchown = SYS_lchown (path: *const c_char, owner: uid_t, group: gid_t) -> c_int;
    chroot = SYS_chroot (path: *const c_char) -> c_int;
    link = SYS_link (from: *const c_char, to: *const c_char) -> c_int;
    mkdir = SYS_mkdir (path: *const c_char, mode: mode_t) -> c_int;
    rename = SYS_rename (from: *const c_char, to: *const c_char) -> c_int;
    rmdir = SYS_rmdir (path: *const c_char) -> c_int;
    symlink = SYS_symlink (to: *const c_char, path: *const c_char) -> c_int;
    readlink = SYS_readlink (path: *const c_char, to: *mut c_char, len: size_t) -> ssize_t;
    truncate = SYS_truncate (path: *const c_char, len: off_t) -> c_int;
    truncate64 = SYS_truncate (path: *const c_char, len: off64_t) -> c_int;
    unlink = SYS_unlink (path: *const c_char) -> c_int;

    getrandom = SYS_getrandom (to: *mut u8, len: size_t, flags: c_uint) -> ssize_t;
    getrlimit = SYS_getrlimit (resource: c_uint, to: *mut rlimit) -> c_int;
    getrlimit64 = SYS_getrlimit (resource: c_uint, to: *mut rlimit) -> c_int;
    getrusage = SYS_getrusage (who: c_int, to: *mut rusage) -> c_int;
    nanosleep = SYS_nanosleep (time: *const timespec, rest: *mut timespec) -> c_int;
    sched_setaffinity = SYS_sched_setaffinity (pid: pid_t, len: size_t, from: *const cpu_set_t) -> c_int;
    uname = SYS_uname (to: *mut utsname) -> c_int;
    wait4 = SYS_wait4 (pid: pid_t, status: *mut c_int, options: c_int, usage: *mut rusage) -> pid_t;
    // What this lacks is 0 in the system call.
    waitpid = SYS_wait4 (pid: pid_t, status: *mut c_int, options: c_int) -> pid_t;
    waitid = SYS_waitid (kind: idtype_t, id: id_t, to: *mut siginfo_t, options: c_int) -> c_int;
}

/// Functions that are the system call named behind them, and take two paths, each with a directory's descriptor.
macro_rules! between_directories {
    ($($name:ident = $number:ident ($($arg:ident: $type:ty),*);)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char $(, $arg: $type)*
        ) -> c_int {
            if refused(from_dir, stringify!($name)) || refused(to_dir, stringify!($name)) {
                return fail(libc::EBADF) as c_int;
            }
            let args = [from_dir as usize, from as usize, to_dir as usize, to as usize $(, $arg as usize)*];
            // SAFETY: the caller keeps the rules of the libc function, which are those of the system call.
            unsafe { call(libc::$number, args) as c_int }
        }
    )*};
}

between_directories! {
    linkat = SYS_linkat (flags: c_int);
    renameat = SYS_renameat ();
    renameat2 = SYS_renameat2 (flags: c_uint);
}

#[unsafe(no_mangle)]
unsafe extern "C" fn symlinkat(to: *const c_char, dir: c_int, path: *const c_char) -> c_int {
    if refused(dir, "symlinkat") {
        return fail(libc::EBADF) as c_int;
    }
    // SAFETY: the caller keeps the rules of symlinkat.
    unsafe { call(libc::SYS_symlinkat, [to as usize, dir as usize, path as usize]) as c_int }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn utimensat(
    dir: c_int,
    path: *const c_char,
    times: *const timespec,
    flags: c_int,
) -> c_int {
    if refused(dir, "utimensat") {
        return fail(libc::EBADF) as c_int;
    }
    if path.is_null() {
        return fail(libc::EINVAL) as c_int;
    }
    let args = [dir as usize, path as usize, times as usize, flags as usize];
    // SAFETY: the caller keeps the rules of utimensat.
    unsafe { call(libc::SYS_utimensat, args) as c_int }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn wait(status: *mut c_int) -> pid_t {
    // SAFETY: any child's end.
    unsafe { waitpid(-1, status, 0) }
}

/// Returns the error instead of setting errno.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_nanosleep(
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
    rest: *mut timespec,
) -> c_int {
    let args = [clock as usize, flags as usize, time as usize, rest as usize, 0, 0];
    // SAFETY: the caller keeps the rules of clock_nanosleep.
    -unsafe { super::syscall(libc::SYS_clock_nanosleep, args) } as c_int
}

/// The kernel says how much of the set it has written; libc's function clears the rest.
#[unsafe(no_mangle)]
unsafe extern "C" fn sched_getaffinity(pid: pid_t, len: size_t, to: *mut cpu_set_t) -> c_int {
    // SAFETY: the caller keeps the rules of sched_getaffinity.
    let written = unsafe { call(libc::SYS_sched_getaffinity, [pid as usize, len, to as usize]) };
    if written < 0 {
        return -1;
    }
    let rest = len - written as usize;
    // SAFETY: within the caller's set.
    let end = unsafe { to.cast::<u8>().add(written as usize) };
    // SAFETY: as above.
    unsafe { end.write_bytes(0, rest) };
    0
}

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    nanosleep as *const ()
}
