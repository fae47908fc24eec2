//! What the arguments of system calls point to.

use libc::c_int;

/// How many bytes an argument points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// So many.
    Fixed(usize),
    /// As many as another argument says.
    Arg(usize),
    /// As many items as another argument says, of so many bytes.
    Items(usize, usize),
    /// Room as [`Size::Arg`], of which the call fills as many bytes as it returns.
    Result(usize),
    /// Room as [`Size::Items`], of which the call fills as many items as it returns.
    ResultItems(usize, usize),
    /// Room for as many bytes as the `u32` says that another argument points to; the call says there how
    /// many there are.
    Told(usize),
    /// A C string.
    Text,
}

/// An argument that is a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) arg: usize,
    pub(super) size: Size,
    /// The call reads it.
    pub(super) is_read: bool,
    /// The call writes it. What it reads as well goes back whole, so a part that it may leave unwritten counts as read.
    pub(super) is_written: bool,
}

const fn reads(arg: usize, size: Size) -> Part {
    Part { arg, size, is_read: true, is_written: false }
}

const fn text(arg: usize) -> Part {
    reads(arg, Size::Text)
}

const fn fills(arg: usize, size: Size) -> Part {
    Part { arg, size, is_read: false, is_written: true }
}

const fn changes(arg: usize, size: Size) -> Part {
    Part { arg, size, is_read: true, is_written: true }
}

use Size::{Arg, Fixed, Items, Result, ResultItems, Told};

const STAT: Size = Fixed(size_of::<libc::stat>());
const STATX: Size = Fixed(size_of::<libc::statx>());
const STATFS: Size = Fixed(size_of::<libc::statfs>());
const RUSAGE: Size = Fixed(size_of::<libc::rusage>());
const SIGINFO: Size = Fixed(size_of::<libc::siginfo_t>());
const TIME: Size = Fixed(size_of::<libc::timespec>());
const TIMER: Size = Fixed(size_of::<libc::itimerspec>());
const LIMIT: Size = Fixed(size_of::<libc::rlimit>());
const EVENT: usize = size_of::<libc::epoll_event>();
const POLLFD: usize = size_of::<libc::pollfd>();
const PAIR: Size = Fixed(8);
const OFFSET: Size = Fixed(8);
const WORD: Size = Fixed(4);
/// The kernel's set of signals.
const SIGNALS: Size = Fixed(8);
/// `struct new_utsname`.
const UTSNAME: Size = Fixed(6 * 65);

/// The pointers among the arguments of a call, or `None` when it is not known here. In calls with [`Told`] the
/// argument that tells comes first.
pub(super) fn of(number: i64, args: &[usize; 6]) -> Option<&'static [Part]> {
    let parts: &'static [Part] = match number {
        libc::SYS_read | libc::SYS_pread64 | libc::SYS_getdents64 => &const { [fills(1, Result(2))] },
        libc::SYS_write | libc::SYS_pwrite64 => &const { [reads(1, Arg(2))] },
        libc::SYS_getrandom | libc::SYS_getcwd => &const { [fills(0, Result(1))] },

        libc::SYS_sendto => &const { [reads(1, Arg(2)), reads(4, Arg(5))] },
        libc::SYS_recvfrom => &const { [changes(5, WORD), fills(4, Told(5)), fills(1, Result(2))] },
        libc::SYS_connect | libc::SYS_bind => &const { [reads(1, Arg(2))] },
        libc::SYS_accept | libc::SYS_accept4 | libc::SYS_getsockname | libc::SYS_getpeername => {
            &const { [changes(2, WORD), fills(1, Told(2))] }
        }
        libc::SYS_getsockopt => &const { [changes(4, WORD), changes(3, Told(4))] },
        libc::SYS_setsockopt => &const { [reads(3, Arg(4))] },
        libc::SYS_socketpair => &const { [fills(3, PAIR)] },
        libc::SYS_pipe | libc::SYS_pipe2 => &const { [fills(0, PAIR)] },

        libc::SYS_open
        | libc::SYS_creat
        | libc::SYS_access
        | libc::SYS_chdir
        | libc::SYS_chroot
        | libc::SYS_chmod
        | libc::SYS_chown
        | libc::SYS_lchown
        | libc::SYS_mkdir
        | libc::SYS_mknod
        | libc::SYS_rmdir
        | libc::SYS_truncate
        | libc::SYS_unlink
        | libc::SYS_memfd_create => &const { [text(0)] },
        libc::SYS_openat
        | libc::SYS_faccessat
        | libc::SYS_faccessat2
        | libc::SYS_fchmodat
        | libc::SYS_fchownat
        | libc::SYS_inotify_add_watch
        | libc::SYS_mkdirat
        | libc::SYS_mknodat
        | libc::SYS_unlinkat => &const { [text(1)] },
        libc::SYS_rename | libc::SYS_link | libc::SYS_symlink => &const { [text(0), text(1)] },
        libc::SYS_renameat | libc::SYS_renameat2 | libc::SYS_linkat => &const { [text(1), text(3)] },
        libc::SYS_symlinkat => &const { [text(0), text(2)] },
        libc::SYS_readlink => &const { [text(0), fills(1, Result(2))] },
        libc::SYS_readlinkat => &const { [text(1), fills(2, Result(3))] },
        libc::SYS_utimensat => &const { [text(1), reads(2, Fixed(2 * size_of::<libc::timespec>()))] },
        libc::SYS_stat | libc::SYS_lstat => &const { [text(0), fills(1, STAT)] },
        libc::SYS_fstat => &const { [fills(1, STAT)] },
        libc::SYS_newfstatat => &const { [text(1), fills(2, STAT)] },
        libc::SYS_statx => &const { [text(1), fills(4, STATX)] },
        libc::SYS_statfs => &const { [text(0), fills(1, STATFS)] },
        libc::SYS_fstatfs => &const { [fills(1, STATFS)] },

        libc::SYS_poll => &const { [changes(0, Items(1, POLLFD))] },
        libc::SYS_ppoll => &const { [changes(0, Items(1, POLLFD)), changes(2, TIME), reads(3, SIGNALS)] },
        libc::SYS_epoll_ctl => &const { [reads(3, Fixed(EVENT))] },
        libc::SYS_epoll_wait => &const { [fills(1, ResultItems(2, EVENT))] },
        libc::SYS_epoll_pwait => &const { [fills(1, ResultItems(2, EVENT)), reads(4, SIGNALS)] },
        libc::SYS_timerfd_settime => &const { [reads(2, TIMER), fills(3, TIMER)] },
        libc::SYS_timerfd_gettime => &const { [fills(1, TIMER)] },
        libc::SYS_signalfd4 => &const { [reads(1, SIGNALS)] },
        libc::SYS_sendfile => &const { [changes(2, OFFSET)] },
        libc::SYS_splice | libc::SYS_copy_file_range => &const { [changes(1, OFFSET), changes(3, OFFSET)] },

        libc::SYS_nanosleep => &const { [reads(0, TIME), changes(1, TIME)] },
        libc::SYS_clock_nanosleep => &const { [reads(2, TIME), changes(3, TIME)] },
        libc::SYS_clock_gettime | libc::SYS_clock_getres => &const { [fills(1, TIME)] },
        libc::SYS_wait4 => &const { [changes(1, WORD), changes(3, RUSAGE)] },
        libc::SYS_waitid => &const { [changes(2, SIGINFO), changes(4, RUSAGE)] },
        libc::SYS_getrusage => &const { [fills(1, RUSAGE)] },
        libc::SYS_getrlimit => &const { [fills(1, LIMIT)] },
        libc::SYS_prlimit64 => &const { [reads(2, LIMIT), fills(3, LIMIT)] },
        libc::SYS_sched_getaffinity => &const { [fills(2, Result(1))] },
        libc::SYS_sched_setaffinity => &const { [reads(2, Arg(1))] },
        libc::SYS_getgroups => &const { [fills(1, ResultItems(0, 4))] },
        libc::SYS_setgroups => &const { [reads(1, Items(0, 4))] },
        libc::SYS_uname => &const { [fills(0, UTSNAME)] },
        libc::SYS_rt_sigtimedwait => &const { [reads(0, SIGNALS), changes(1, SIGINFO), reads(2, TIME)] },

        // Numbers only, and some are as large as addresses.
        libc::SYS_lseek
        | libc::SYS_ftruncate
        | libc::SYS_fallocate
        | libc::SYS_fadvise64
        | libc::SYS_readahead
        | libc::SYS_sync_file_range
        | libc::SYS_exit_group => &[],

        libc::SYS_fcntl => of_fcntl(args[1] as c_int),
        _ => return None,
    };
    Some(parts)
}

/// The pointer among the arguments of `fcntl`, if this command has one.
fn of_fcntl(command: c_int) -> &'static [Part] {
    const F_SETOWN_EX: c_int = 15;
    const F_GETOWN_EX: c_int = 16;
    const HINT_COMMANDS: core::ops::RangeInclusive<c_int> = 1035..=1038;
    match command {
        libc::F_GETLK
        | libc::F_SETLK
        | libc::F_SETLKW
        | libc::F_OFD_GETLK
        | libc::F_OFD_SETLK
        | libc::F_OFD_SETLKW => &const { [changes(2, Fixed(size_of::<libc::flock>()))] },
        F_SETOWN_EX | F_GETOWN_EX => &const { [changes(2, PAIR)] },
        command if HINT_COMMANDS.contains(&command) => &const { [changes(2, OFFSET)] },
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_a_size_comes_before_what_it_tells() {
        let args = [0; 6];
        for number in 0..500 {
            let Some(parts) = of(number, &args) else { continue };
            for (at, part) in parts.iter().enumerate() {
                assert!(part.arg < 6, "call {number}");
                if let Told(by) = part.size {
                    let teller = parts[..at].iter().find(|teller| teller.arg == by);
                    assert_eq!(teller, Some(&changes(by, WORD)), "call {number}");
                }
            }
        }
    }

    #[test]
    fn a_command_of_fcntl_without_a_pointer_has_none() {
        let mut args = [0; 6];
        for command in [libc::F_DUPFD, libc::F_SETFL, libc::F_GETFD, libc::F_SETOWN] {
            args[1] = command as usize;
            assert_eq!(of(libc::SYS_fcntl, &args), Some(&[][..]));
        }
    }
}
