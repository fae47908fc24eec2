//! The calls that can be made at a descriptor's owner, and what their arguments are.
//!
//! Both sides read the same table: the caller finds in it which arguments point to memory, the owner
//! what it must be given for each before the kernel may use it.

use libc::{c_int, c_long};

/// Which way the bytes of a block go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// To the owner: the kernel reads them.
    In,
    /// Back to the caller: the kernel writes them.
    Out,
    /// Both.
    InOut,
}

impl Way {
    pub(super) fn goes_in(self) -> bool {
        self != Way::Out
    }

    pub(super) fn comes_out(self) -> bool {
        self != Way::In
    }
}

/// One argument of a system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arg {
    /// A number.
    Value,
    /// A descriptor of the owner.
    Fd,
    /// The program's bytes; the next argument is their length. A short transfer is the caller's to go on with.
    Data(Way),
    /// A structure; the next argument is its length.
    Sized(Way),
    /// A structure that is written; the next argument points to its length, of 32 bits, which is updated.
    Counted,
    /// A structure of so many bytes.
    Fixed(Way, u32),
    /// What `ioctl` passes for the request before it.
    Request,
    /// A path.
    Path,
    /// An array of `iovec`; the next argument is their number.
    Vector(Way),
    /// A `msghdr`.
    Message(Way),
    /// An array of `pollfd`; the next argument is their number.
    Polls,
    /// Belongs to the argument before.
    Length,
    /// A pointer that is always null.
    Null,
}

impl Arg {
    /// Whether the argument points to memory.
    pub(super) fn is_pointer(self) -> bool {
        !matches!(self, Arg::Value | Arg::Fd | Arg::Length | Arg::Null)
    }

    /// Which way its bytes go.
    pub(super) fn way(self) -> Way {
        match self {
            Arg::Data(way) | Arg::Sized(way) | Arg::Fixed(way, _) | Arg::Vector(way) | Arg::Message(way) => {
                way
            }
            Arg::Counted => Way::Out,
            Arg::Request | Arg::Polls => Way::InOut,
            Arg::Path | Arg::Value | Arg::Fd | Arg::Length | Arg::Null => Way::In,
        }
    }
}

/// A call as the kernel knows it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) number: c_long,
    pub(super) args: &'static [Arg],
    /// Whether the result is a new descriptor.
    pub(super) makes: bool,
}

macro_rules! calls {
    ($($call:ident = $number:ident [$($arg:expr),*] $($makes:ident)?;)*) => {
        /// A call that can be made at the owner. Its number on the wire is its place here.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u16)]
        pub(in crate::interpose::fd) enum Call { $($call),* }

        const ALL: &[(Call, Row)] = &[$((
            Call::$call,
            Row { number: libc::$number, args: &[$($arg),*], makes: false $(|| stringify!($makes).len() > 0)? },
        )),*];
    };
}

use Arg::{Counted, Data, Fd, Fixed, Length, Message, Null, Path, Polls, Request, Sized, Value, Vector};
use Way::{In, InOut, Out};

const STAT_BYTES: u32 = size_of::<libc::stat>() as u32;
const STATX_BYTES: u32 = size_of::<libc::statx>() as u32;
const TIMES_BYTES: u32 = size_of::<[libc::timespec; 2]>() as u32;
const TIME_BYTES: u32 = size_of::<libc::timespec>() as u32;

calls! {
    Read = SYS_read [Fd, Data(Out), Length];
    Write = SYS_write [Fd, Data(In), Length];
    ReadAt = SYS_pread64 [Fd, Data(Out), Length, Value];
    WriteAt = SYS_pwrite64 [Fd, Data(In), Length, Value];
    ReadVector = SYS_readv [Fd, Vector(Out), Length];
    WriteVector = SYS_writev [Fd, Vector(In), Length];
    ReadVectorAt = SYS_preadv [Fd, Vector(Out), Length, Value];
    WriteVectorAt = SYS_pwritev [Fd, Vector(In), Length, Value];

    Close = SYS_close [Fd];
    Duplicate = SYS_dup [Fd] makes;
    DuplicateTo = SYS_dup2 [Fd, Fd];
    DuplicateToWith = SYS_dup3 [Fd, Fd, Value];
    Control = SYS_fcntl [Fd, Value, Value];
    ControlDuplicate = SYS_fcntl [Fd, Value, Value] makes;
    Ioctl = SYS_ioctl [Fd, Value, Request];

    Seek = SYS_lseek [Fd, Value, Value];
    Stat = SYS_fstat [Fd, Fixed(Out, STAT_BYTES)];
    StatAt = SYS_newfstatat [Fd, Path, Fixed(Out, STAT_BYTES), Value];
    StatX = SYS_statx [Fd, Path, Value, Value, Fixed(Out, STATX_BYTES)];
    Sync = SYS_fsync [Fd];
    SyncData = SYS_fdatasync [Fd];
    SetLength = SYS_ftruncate [Fd, Value];
    Allocate = SYS_fallocate [Fd, Value, Value, Value];
    Lock = SYS_flock [Fd, Value];
    SetMode = SYS_fchmod [Fd, Value];
    SetOwner = SYS_fchown [Fd, Value, Value];
    SetTimes = SYS_utimensat [Fd, Null, Fixed(In, TIMES_BYTES), Value];

    SendFile = SYS_sendfile [Fd, Fd, Fixed(InOut, 8), Value];
    Splice = SYS_splice [Fd, Fixed(InOut, 8), Fd, Fixed(InOut, 8), Value, Value];
    CopyRange = SYS_copy_file_range [Fd, Fixed(InOut, 8), Fd, Fixed(InOut, 8), Value, Value];

    Accept = SYS_accept [Fd, Counted, Length] makes;
    AcceptWith = SYS_accept4 [Fd, Counted, Length, Value] makes;
    SendTo = SYS_sendto [Fd, Data(In), Length, Value, Sized(In), Length];
    ReceiveFrom = SYS_recvfrom [Fd, Data(Out), Length, Value, Counted, Length];
    SendMessage = SYS_sendmsg [Fd, Message(In), Value];
    ReceiveMessage = SYS_recvmsg [Fd, Message(Out), Value];
    Listen = SYS_listen [Fd, Value];
    Connect = SYS_connect [Fd, Sized(In), Length];
    Bind = SYS_bind [Fd, Sized(In), Length];
    Shutdown = SYS_shutdown [Fd, Value];
    GetOption = SYS_getsockopt [Fd, Value, Value, Counted, Length];
    SetOption = SYS_setsockopt [Fd, Value, Value, Sized(In), Length];
    OwnName = SYS_getsockname [Fd, Counted, Length];
    PeerName = SYS_getpeername [Fd, Counted, Length];

    Poll = SYS_ppoll [Polls, Length, Fixed(In, TIME_BYTES), Null, Value];
}

impl Call {
    /// The call with this number.
    pub(super) fn from_wire(number: u16) -> Option<Call> {
        ALL.get(usize::from(number)).map(|(call, _)| *call)
    }

    pub(super) fn row(self) -> &'static Row {
        &ALL[self as usize].1
    }

    /// Whether the call means at the owner what it means here, with these arguments: nothing in
    /// them is an address, a process's own or a descriptor that this module does not know.
    pub(super) fn is_shippable(self, args: &[u64; 6]) -> bool {
        let [_, first, second, ..] = args.map(|arg| arg as c_int);
        match self {
            Call::Control => matches!(
                first,
                libc::F_GETFD
                    | libc::F_SETFD
                    | libc::F_GETFL
                    | libc::F_SETFL
                    | libc::F_GETPIPE_SZ
                    | libc::F_SETPIPE_SZ
                    | libc::F_ADD_SEALS
                    | libc::F_GET_SEALS
            ),
            Call::ControlDuplicate => matches!(first, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC),
            Call::Ioctl => request(args[1]).is_some(),
            Call::GetOption | Call::SetOption => is_plain_option(first, second),
            _ => true,
        }
    }
}

/// What `ioctl` passes for `request`: which way, and how many bytes.
pub(super) fn request(request: u64) -> Option<(Way, u32)> {
    const KERNEL_TERMIOS_BYTES: u32 = 36;
    const INT_BYTES: u32 = size_of::<c_int>() as u32;
    match request {
        libc::FIONBIO => Some((In, INT_BYTES)),
        libc::FIONREAD | libc::TIOCOUTQ | SIOCATMARK => Some((Out, INT_BYTES)),
        libc::FIOCLEX | libc::FIONCLEX => Some((In, 0)),
        libc::TCGETS => Some((Out, KERNEL_TERMIOS_BYTES)),
        libc::TIOCGWINSZ => Some((Out, size_of::<libc::winsize>() as u32)),
        _ => None,
    }
}

const SIOCATMARK: u64 = 0x8905;

/// Whether the value of a socket option is bytes: no address and no descriptor.
fn is_plain_option(level: c_int, name: c_int) -> bool {
    /// Filters are given by address or by descriptor.
    const SO_ATTACH_REUSEPORT_CBPF: c_int = 51;
    const SO_ATTACH_REUSEPORT_EBPF: c_int = 52;
    /// Makes a descriptor.
    const SO_PEERPIDFD: c_int = 77;
    const TCP_ZEROCOPY_RECEIVE: c_int = 35;
    /// From here on: tables of the packet filter, with addresses in them.
    const FILTERS: core::ops::RangeInclusive<c_int> = 64..=65;
    match level {
        libc::SOL_SOCKET => !matches!(
            name,
            libc::SO_ATTACH_FILTER
                | libc::SO_ATTACH_BPF
                | SO_ATTACH_REUSEPORT_CBPF
                | SO_ATTACH_REUSEPORT_EBPF
                | SO_PEERPIDFD
                | libc::SO_ZEROCOPY
        ),
        libc::IPPROTO_TCP => name != TCP_ZEROCOPY_RECEIVE,
        libc::IPPROTO_IP | libc::IPPROTO_IPV6 => !FILTERS.contains(&name),
        libc::IPPROTO_UDP => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pointer_with_a_length_has_one_behind_it() {
        for (call, row) in ALL {
            assert!(row.args.len() <= 6, "{call:?}");
            for (at, arg) in row.args.iter().enumerate() {
                let with_length = matches!(arg, Data(_) | Sized(_) | Counted | Vector(_) | Polls);
                let length_follows = row.args.get(at + 1) == Some(&Length);
                assert_eq!(with_length, length_follows, "{call:?}, argument {at}");
            }
            assert_eq!(Call::from_wire(*call as u16), Some(*call));
        }
        assert_eq!(Call::from_wire(ALL.len() as u16), None);
    }

    #[test]
    fn what_holds_addresses_or_descriptors_is_not_shippable() {
        let at = |call: Call, first: c_int, second: c_int| {
            call.is_shippable(&[5, first as u64, second as u64, 0, 0, 0])
        };
        assert!(at(Call::Control, libc::F_SETFL, libc::O_NONBLOCK));
        assert!(!at(Call::Control, libc::F_SETLK, 0));
        assert!(!at(Call::Control, libc::F_DUPFD, 0), "it makes a descriptor");
        assert!(at(Call::ControlDuplicate, libc::F_DUPFD_CLOEXEC, 3));
        assert!(!at(Call::ControlDuplicate, libc::F_SETFL, 0));
        assert!(at(Call::Ioctl, libc::FIONBIO as c_int, 0));
        assert!(!at(Call::Ioctl, libc::TIOCSTI as c_int, 0));
        assert!(at(Call::SetOption, libc::SOL_SOCKET, libc::SO_REUSEADDR));
        assert!(!at(Call::SetOption, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER));
        assert!(!at(Call::GetOption, libc::IPPROTO_IP, 64));
        assert!(!at(Call::GetOption, libc::SOL_NETLINK, 1));
    }
}
