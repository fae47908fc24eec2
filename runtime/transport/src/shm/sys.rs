//! Sealed memory files, and descriptors sent over sockets.
//!
//! Invariants: none of the memory model's; a descriptor is owned by exactly one `OwnedFd`.
//! Layout: `msghdr` and control messages are C's own.
//! Who may touch what: buffers are borrowed for the call; received descriptors are ours at once.
//! Why not safe code: std has neither of these.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;

/// The length can never change again, so that no access within it can fault, and neither can this.
const SEALS: libc::c_int = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;

/// Descriptors sent with one message.
const FDS: usize = 2;

const FDS_BYTES: u32 = (FDS * size_of::<RawFd>()) as u32;

/// Room for a control message with the descriptors, aligned as it must be.
type Control = [u64; 8];

const _: () = assert!(size_of::<Control>() >= size_of::<libc::cmsghdr>() + 8 + FDS_BYTES as usize);

/// An anonymous file of zeros, not yet sealed.
pub(super) fn new_memory(bytes: u64) -> io::Result<File> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // Some systems insist on the seal against execution, older ones do not know it.
    let file = match memfd(flags | libc::MFD_NOEXEC_SEAL) {
        Err(error) if error.kind() == ErrorKind::InvalidInput => memfd(flags)?,
        result => result?,
    };
    file.set_len(bytes)?;
    Ok(file)
}

fn memfd(flags: libc::c_uint) -> io::Result<File> {
    // SAFETY: the name is a C string; nothing else is read.
    let fd = unsafe { libc::memfd_create(c"dstd link".as_ptr(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above has just made it, for us alone.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Fixes the length for ever.
pub(super) fn seal(memory: &File) -> io::Result<()> {
    // SAFETY: takes integers only; the descriptor is open because the file is borrowed.
    let failed = unsafe { libc::fcntl(memory.as_raw_fd(), libc::F_ADD_SEALS, SEALS) };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Refuses a file whose length could still change.
pub(super) fn check_sealed(memory: &File) -> io::Result<()> {
    // SAFETY: takes integers only; the descriptor is open because the file is borrowed.
    let seals = unsafe { libc::fcntl(memory.as_raw_fd(), libc::F_GET_SEALS) };
    if seals >= 0 && seals & SEALS == SEALS {
        return Ok(());
    }
    Err(super::link::malformed("the memory is not sealed against shrinking and growing"))
}

/// Refuses a socket that would not tell of its peer's end, and what is no socket.
pub(super) fn check_stream(socket: &OwnedFd) -> io::Result<()> {
    let mut kind: libc::c_int = 0;
    let mut len = size_of_val(&kind) as libc::socklen_t;
    // SAFETY: the value is the local `kind`, written during the call, with its own size; the
    // descriptor is open because it is borrowed.
    let failed = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TYPE,
            ptr::from_mut(&mut kind).cast(),
            &mut len,
        )
    };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    if kind == libc::SOCK_STREAM {
        return Ok(());
    }
    Err(super::link::malformed("the socket is not a stream"))
}

/// Sends `bytes` and the descriptors with them.
pub(super) fn send_fds(stream: &UnixStream, bytes: &[u8], fds: [&OwnedFd; FDS]) -> io::Result<()> {
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control: Control = [0; 8];
    let message = message(&mut part, &mut control);
    // SAFETY: `message` points to a control buffer large enough for a header.
    let header = unsafe { libc::CMSG_FIRSTHDR(&message) };
    // SAFETY: takes an integer only.
    let header_len = unsafe { libc::CMSG_LEN(FDS_BYTES) } as usize;
    let filled =
        libc::cmsghdr { cmsg_len: header_len, cmsg_level: libc::SOL_SOCKET, cmsg_type: libc::SCM_RIGHTS };
    // SAFETY: the header lies in `control`, aligned, nobody else looks at it.
    unsafe { header.write(filled) };
    // SAFETY: the header was filled in above.
    let data = unsafe { libc::CMSG_DATA(header) };
    // SAFETY: `control` has room for the header and the descriptors, as asserted above; data may
    // not be aligned for the type, hence unaligned.
    unsafe { data.cast::<[RawFd; FDS]>().write_unaligned(fds.map(AsRawFd::as_raw_fd)) };
    loop {
        // SAFETY: `message` points to `bytes` and `control`, which live on; the kernel only reads.
        let sent = unsafe { libc::sendmsg(stream.as_raw_fd(), &message, libc::MSG_NOSIGNAL) };
        if usize::try_from(sent).is_ok_and(|sent| sent == bytes.len()) {
            return Ok(());
        }
        if sent >= 0 {
            return Err(io::Error::new(ErrorKind::WriteZero, "the socket took a part of the message"));
        }
        let error = io::Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Receives exactly `bytes` and the descriptors that came with them.
pub(super) fn receive_fds(stream: &UnixStream, bytes: &mut [u8]) -> io::Result<[OwnedFd; FDS]> {
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut control: Control = [0; 8];
    let mut message = message(&mut part, &mut control);
    let received = loop {
        // SAFETY: `message` points to `bytes` and `control`, which live on and are exclusively
        // borrowed; their true lengths are in it.
        let received = unsafe { libc::recvmsg(stream.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC) };
        let Ok(received) = usize::try_from(received) else {
            let error = io::Error::last_os_error();
            if error.kind() == ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        };
        break received;
    };
    // First of all, so that whatever came is closed if it is refused.
    let fds = received_fds(&message);
    if received == 0 {
        return Err(io::Error::new(ErrorKind::UnexpectedEof, "the peer left before it sent a link"));
    }
    let whole = received == bytes.len() && message.msg_flags & (libc::MSG_CTRUNC | libc::MSG_TRUNC) == 0;
    match <[OwnedFd; FDS]>::try_from(fds) {
        Ok(fds) if whole => Ok(fds),
        _ => Err(super::link::malformed("a message without the two descriptors of a link")),
    }
}

/// A message of one part, with room for control messages.
fn message(part: &mut libc::iovec, control: &mut Control) -> libc::msghdr {
    // SAFETY: takes an integer only.
    let control_len = unsafe { libc::CMSG_SPACE(FDS_BYTES) } as usize;
    libc::msghdr {
        msg_name: ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: part,
        msg_iovlen: 1,
        msg_control: control.as_mut_ptr().cast(),
        msg_controllen: control_len,
        msg_flags: 0,
    }
}

/// Owns every descriptor that came with a received message.
fn received_fds(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut fds = Vec::new();
    // SAFETY: the kernel has filled the control buffer and set its length.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: not null, so a whole header lies there, aligned by the kernel's rules.
        let libc::cmsghdr { cmsg_len, cmsg_level, cmsg_type } = unsafe { header.read() };
        if (cmsg_level, cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: a whole header lies there.
            let data = unsafe { libc::CMSG_DATA(header) }.cast::<RawFd>();
            let count = (cmsg_len - (data.addr() - header.addr())) / size_of::<RawFd>();
            for at in 0..count {
                // SAFETY: below the count of descriptors that the message has.
                let fd = unsafe { data.add(at) };
                // SAFETY: written by the kernel; perhaps not aligned.
                let fd = unsafe { fd.read_unaligned() };
                // SAFETY: the kernel has just installed it, for us alone.
                fds.push(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
        // SAFETY: `header` is one of this message.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    fds
}
