//! Fillers that were closed past the functions of libc.

use core::mem;

use super::{as_node, c_int, errno, open_null};
use crate::interpose::fd::fillers;

/// Whether `fd` is a filler: a number that gives access to nothing.
fn is_filler(fd: c_int) -> bool {
    let args = [fd as usize, libc::F_GETFL as usize, 0, 0, 0, 0];
    // SAFETY: no memory.
    let flags = unsafe { crate::raw::syscall(libc::SYS_fcntl, args) };
    flags >= 0 && flags as c_int & libc::O_PATH != 0 && fillers::is_close_on_exec(fd)
}

/// Closes the filler `fd`, as code that makes system calls itself does.
fn dig(fd: c_int) -> bool {
    is_filler(fd) && fillers::close(fd).is_ok()
}

#[test]
fn what_falls_into_a_hole_moves_into_the_range() {
    /// From an own descriptor to a new one; the last two are not closed on exec.
    const MAKERS: [fn(c_int) -> c_int; 11] = [
        |_| open_null(),
        // SAFETY: a C string.
        |_| unsafe { libc::openat(libc::AT_FDCWD, c"/dev/null".as_ptr(), libc::O_CLOEXEC) },
        // SAFETY: no memory.
        |_| unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) },
        // SAFETY: no memory.
        |_| unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) },
        // SAFETY: no memory.
        |_| unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) },
        // SAFETY: no memory.
        |_| unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) },
        // SAFETY: a C string.
        |_| unsafe { libc::memfd_create(c"test".as_ptr(), libc::MFD_CLOEXEC) },
        // SAFETY: no memory.
        |_| unsafe { libc::inotify_init1(libc::IN_CLOEXEC) },
        // SAFETY: no memory.
        |own| unsafe { libc::fcntl(own, libc::F_DUPFD_CLOEXEC, 3) },
        // Without the flag it moves without the flag.
        // SAFETY: no memory.
        |own| unsafe { libc::dup(own) },
        // SAFETY: a C string.
        |_| unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) },
    ];
    let reported = as_node(1, |start| {
        let own = open_null();
        for (number, make) in MAKERS.into_iter().enumerate() {
            let number = number as u8;
            if !dig(start - 9) {
                return 100 + number;
            }
            let fd = make(own);
            if fd < start || !is_filler(start - 9) {
                return 120 + number;
            }
            if fillers::is_close_on_exec(fd) != (number < 9) {
                return 140 + number;
            }
        }
        0
    });
    assert_eq!(reported, "");
}

#[test]
fn pairs_move_into_the_range_and_still_belong_together() {
    let reported = as_node(2, |start| {
        for (code, holes) in [(1, 1), (2, 2)] {
            let mut ends = [0; 2];
            if !(1..=holes).all(|hole| dig(start - 5 * hole)) {
                return code;
            }
            // SAFETY: room for two.
            if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
                return 10 + code;
            }
            if ends.iter().any(|end| *end < start) || !(1..=holes).all(|hole| is_filler(start - 5 * hole)) {
                return 20 + code;
            }
            let (sent, mut received) = (code, 0_u8);
            // SAFETY: one byte.
            if unsafe { libc::write(ends[1], (&raw const sent).cast(), 1) } != 1 {
                return 30 + code;
            }
            // SAFETY: one byte.
            if unsafe { libc::read(ends[0], (&raw mut received).cast(), 1) } != 1 || received != sent {
                return 40 + code;
            }
        }
        0
    });
    assert_eq!(reported, "");
}

#[test]
fn without_room_in_the_range_nothing_stays_in_a_hole() {
    let reported = as_node(1, |start| {
        let mut last = open_null();
        loop {
            let next = open_null();
            if next < 0 {
                break;
            }
            last = next;
        }
        if !dig(start - 1) {
            return 1;
        }
        if open_null() != -1 || errno() != libc::EMFILE || !is_filler(start - 1) {
            return 2;
        }
        let mut ends = [0; 2];
        if !dig(start - 1) || !dig(start - 2) {
            return 3;
        }
        // SAFETY: room for two.
        if unsafe { libc::pipe(ends.as_mut_ptr()) } != -1 || errno() != libc::EMFILE {
            return 4;
        }
        if !is_filler(start - 1) || !is_filler(start - 2) {
            return 5;
        }
        // With room for one end the other has nowhere to go, and the room is free again.
        // SAFETY: no memory.
        if unsafe { libc::close(last) } != 0 || !dig(start - 1) || !dig(start - 2) {
            return 6;
        }
        // SAFETY: room for two.
        if unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr()) } != -1 {
            return 7;
        }
        if !is_filler(start - 1) || !is_filler(start - 2) {
            return 8;
        }
        if open_null() == last { 0 } else { 9 }
    });
    assert_eq!(reported, "");
}

#[test]
fn descriptors_in_messages_get_numbers_of_the_range() {
    let reported = as_node(1, |start| {
        let mut ends = [0; 2];
        // SAFETY: room for two.
        if unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr()) } != 0 {
            return 1;
        }
        let mut byte = 7_u8;
        let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        // Room for one header and one descriptor, aligned.
        let mut control = [0_usize; 3];
        // SAFETY: zeroes are an empty message.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        // SAFETY: the message is complete.
        let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        let header_len = size_of::<libc::cmsghdr>();
        let len = header_len + size_of::<c_int>();
        let value =
            libc::cmsghdr { cmsg_len: len, cmsg_level: libc::SOL_SOCKET, cmsg_type: libc::SCM_RIGHTS };
        // SAFETY: the header lies in `control`.
        unsafe { header.write(value) };
        // SAFETY: behind it there is room for a descriptor.
        let place = unsafe { libc::CMSG_DATA(header) }.cast::<c_int>();
        // SAFETY: as above.
        unsafe { place.write(ends[0]) };
        // SAFETY: the message is complete.
        if unsafe { libc::sendmsg(ends[0], &raw const message, 0) } != 1 {
            return 2;
        }
        if !dig(start - 3) || !dig(start - 4) {
            return 3;
        }
        // SAFETY: the message has room for what was sent.
        if unsafe { libc::recvmsg(ends[1], &raw mut message, libc::MSG_CMSG_CLOEXEC) } != 1 {
            return 4;
        }
        // SAFETY: in `control`.
        let received = unsafe { place.read() };
        if received <= ends[1] || !is_filler(start - 3) || !is_filler(start - 4) { 5 } else { 0 }
    });
    assert_eq!(reported, "");
}

#[test]
fn closing_a_range_of_numbers_leaves_fillers_alone() {
    let reported = as_node(1, |start| {
        let fd = open_null();
        // SAFETY: the child needs no descriptor but that of the reports, which has a low number.
        if unsafe { libc::close_range(3, u32::MAX, 0) } != 0 {
            return 1;
        }
        if !(start - 50..start).all(is_filler) {
            return 2;
        }
        if open_null() == fd && fd == start { 0 } else { 3 }
    });
    assert_eq!(reported, "");
}
