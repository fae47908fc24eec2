//! `sendmsg` and `recvmsg` with all their parts, on another node: several buffers, and a descriptor that is passed on.
#![expect(unsafe_code, reason = "std has no stable function for it")]

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;

use crate::cluster;

/// A piece of control data with one descriptor.
#[repr(C)]
#[derive(Clone, Copy)]
struct Passed {
    len: usize,
    level: i32,
    kind: i32,
    fd: RawFd,
    rest: i32,
}

const PASSED_LEN: usize = 20;

/// Sends the parts as one message, with a descriptor.
fn send(socket: &UnixDatagram, parts: [&mut [u8]; 2], fd: RawFd) -> io::Result<usize> {
    let mut control =
        Passed { len: PASSED_LEN, level: libc::SOL_SOCKET, kind: libc::SCM_RIGHTS, fd, rest: 0 };
    let mut parts = parts.map(|part| libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() });
    let message = message(&mut parts, &mut control);
    // SAFETY: everything in the message lives here.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Receives one; returns its length, its flags and the descriptor.
fn receive(socket: &UnixDatagram, parts: [&mut [u8]; 2]) -> (usize, i32, OwnedFd) {
    let mut control = Passed { len: 0, level: 0, kind: 0, fd: -1, rest: 0 };
    let mut parts = parts.map(|part| libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() });
    let mut message = message(&mut parts, &mut control);
    // SAFETY: everything in the message lives here.
    let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
    let count = usize::try_from(count).unwrap();
    assert!(message.msg_controllen >= PASSED_LEN);
    assert_eq!((control.len, control.level, control.kind), (PASSED_LEN, libc::SOL_SOCKET, libc::SCM_RIGHTS));
    // SAFETY: just received, owned by nobody else.
    (count, message.msg_flags, unsafe { OwnedFd::from_raw_fd(control.fd) })
}

fn message(parts: &mut [libc::iovec; 2], control: &mut Passed) -> libc::msghdr {
    // SAFETY: all-zero is an empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = parts.len();
    message.msg_control = (&raw mut *control).cast();
    message.msg_controllen = size_of::<Passed>();
    message
}

/// A pipe's end goes through a socket of its node, sent and received on others, and is that pipe's end.
pub(crate) fn passed_on() -> String {
    for node in 0..cluster::size() {
        let (sender, receiver, mut reader, writer) = cluster::spawn(node, || {
            let (sender, receiver) = UnixDatagram::pair().unwrap();
            let (reader, writer) = io::pipe().unwrap();
            (sender, receiver, reader, writer)
        })
        .join()
        .unwrap();
        cluster::spawn(node + 1, move || {
            let (mut first, mut second) = (vec![1_u8; 50_000], [2; 10]);
            assert_eq!(send(&sender, [&mut first, &mut second], writer.as_raw_fd()).unwrap(), 50_010);
        })
        .join()
        .unwrap();
        let passed = cluster::spawn(node + 2, move || {
            let (mut first, mut second) = ([0; 7], vec![0; 40_000]);
            let (count, flags, passed) = receive(&receiver, [&mut first, &mut second]);
            assert_eq!((count, flags & libc::MSG_TRUNC), (40_007, libc::MSG_TRUNC));
            assert!(first.iter().chain(&second).all(|&byte| byte == 1));
            passed
        });
        let mut passed = std::fs::File::from(passed.join().unwrap());
        passed.write_all(b"through the other end").unwrap();
        drop(passed);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through the other end");
    }
    // Where socket and descriptor belong to different nodes, nothing is passed: it would be another file.
    if cluster::size() > 1 {
        let other = cluster::spawn(1, || io::pipe().unwrap()).join().unwrap();
        let (sender, _receiver) = UnixDatagram::pair().unwrap();
        let error = send(&sender, [&mut [1], &mut []], other.0.as_raw_fd()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        let error =
            cluster::spawn(1, move || send(&sender, [&mut [1], &mut []], other.0.as_raw_fd()).unwrap_err());
        assert_eq!(error.join().unwrap().raw_os_error(), Some(libc::EBADF));
    }
    format!("{} ends", cluster::size())
}
