//! Several processes take ranges and try each other's numbers.

use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, RawFd};

use dstd_addr::NodeId;
use libc::c_int;

use super::foreign::{report_to, streams_at_node_0};
use super::{hard_limit, plan, setup};

mod holes;
mod limits;
mod streams;

const NODES: u16 = 3;

/// Runs `check` as node `me` in a child, with the descriptors it gets and those it reports on; returns what it reported.
fn as_node(me: u16, check: fn(own_start: c_int) -> u8) -> String {
    let stride = plan(NODES, hard_limit(0).expect("the kernel tells")).expect("enough for three nodes");
    let [from_child, to_parent] = pipe();
    // SAFETY: the child makes system calls and ends; it neither allocates nor locks.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child == 0 {
        let me = NodeId(me);
        // SAFETY: the child has one thread.
        let code = if unsafe { setup(me, NODES, stride) }.is_err() {
            100
        } else {
            report_to(to_parent);
            check(stride.range(me).start as c_int)
        };
        // SAFETY: ends the child without running the test harness's exit handlers.
        unsafe { libc::_exit(code.into()) };
    }
    drop(to_file(to_parent));
    let mut reported = String::new();
    to_file(from_child).read_to_string(&mut reported).expect("the child closes the pipe when it ends");
    let mut status = 0;
    // SAFETY: waits for the child made above.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status), "the child ended with status {status:#x}");
    assert_eq!(libc::WEXITSTATUS(status), 0, "the check that failed; reported: {reported}");
    reported
}

fn pipe() -> [RawFd; 2] {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two descriptors.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
    ends
}

fn to_file(fd: RawFd) -> File {
    // SAFETY: made by `pipe`, owned by the caller.
    unsafe { File::from_raw_fd(fd) }
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn open_null() -> c_int {
    // SAFETY: a C string.
    unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) }
}

/// 0 when the call failed with EBADF.
fn is_refused(result: isize) -> bool {
    result == -1 && errno() == libc::EBADF
}

#[test]
fn what_a_node_opens_lies_in_its_range() {
    for me in 0..NODES {
        let reported = as_node(me, |start| {
            // On node 0 numbers that the test harness holds are skipped.
            let highest = start + 64;
            for _ in 0..8 {
                let fd = open_null();
                if fd < start || fd > highest {
                    return 1;
                }
                let mut byte = 0_u8;
                // SAFETY: a valid buffer.
                if unsafe { libc::write(fd, (&raw const byte).cast(), 1) } != 1 {
                    return 2;
                }
                // SAFETY: as above.
                if unsafe { libc::read(fd, (&raw mut byte).cast(), 1) } != 0 {
                    return 3;
                }
                // SAFETY: no memory.
                if unsafe { libc::fcntl(fd, libc::F_GETFD) } != libc::FD_CLOEXEC {
                    return 4;
                }
            }
            let mut opened = 8;
            while open_null() >= 0 {
                opened += 1;
            }
            // The range ends at the limit: nothing spills over into the next one.
            if errno() == libc::EMFILE && opened > 128 { 0 } else { 5 }
        });
        assert_eq!(reported, "", "own descriptors are not reported");
    }
}

#[test]
fn a_foreign_descriptor_is_refused_and_its_owner_named() {
    let reported = as_node(1, |start| {
        let mut byte = 0_u8;
        for foreign in [start - 1, 2 * start] {
            // SAFETY: a valid buffer.
            if !is_refused(unsafe { libc::read(foreign, (&raw mut byte).cast(), 1) }) {
                return 1;
            }
            // SAFETY: as above.
            if !is_refused(unsafe { libc::write(foreign, (&raw const byte).cast(), 1) }) {
                return 2;
            }
            // SAFETY: no memory.
            if !is_refused(unsafe { libc::close(foreign) } as isize) {
                return 3;
            }
        }
        // The second time nothing is said.
        // SAFETY: no memory.
        if !is_refused(unsafe { libc::close(start - 1) } as isize) {
            return 4;
        }
        // The filler is still there: the next one opened is ours.
        if open_null() < start { 5 } else { 0 }
    });
    let stride =
        plan(NODES, hard_limit(0).expect("the kernel tells")).expect("enough for three nodes").count();
    let mut expected = String::new();
    for (fd, owner) in [(stride - 1, 0), (2 * stride, 2)] {
        for call in ["read", "write", "close"] {
            let text =
                format!("dstd: descriptor {fd} belongs to node {owner}, this is node 1: EBADF ({call})\n");
            expected.push_str(&text);
        }
    }
    assert_eq!(reported, expected);
}

#[test]
fn calls_with_two_descriptors_look_at_both() {
    let reported = as_node(2, |start| {
        let fd = open_null();
        // SAFETY: no memory.
        if !is_refused(unsafe { libc::dup2(fd, 7) } as isize) {
            return 1;
        }
        // SAFETY: no memory.
        if !is_refused(unsafe { libc::dup3(fd, start - 1, 0) } as isize) {
            return 5;
        }
        // SAFETY: no memory; the standard streams are common.
        if unsafe { libc::dup2(fd, 0) } != 0 {
            return 6;
        }
        // SAFETY: no memory: the offset is null.
        let sent = unsafe { libc::sendfile64(fd, start - 1, core::ptr::null_mut(), 1) };
        // Where owners differ, programs read and write instead: std does on this error.
        if sent != -1 || errno() != libc::EINVAL {
            return 2;
        }
        let mut fds = [
            libc::pollfd { fd, events: libc::POLLIN, revents: 0 },
            libc::pollfd { fd: 9, events: 0, revents: 0 },
        ];
        // SAFETY: two entries.
        if !is_refused(unsafe { libc::poll(fds.as_mut_ptr(), 2, 0) } as isize) {
            return 3;
        }
        // SAFETY: one entry.
        if unsafe { libc::poll(fds.as_mut_ptr(), 1, 0) } != 1 {
            return 4;
        }
        0
    });
    let owners: Vec<_> = reported.lines().map(|line| line.split("belongs to ").nth(1)).collect();
    assert_eq!(
        owners,
        [
            Some("node 0, this is node 2: EBADF (dup2)"),
            Some("node 1, this is node 2: EBADF (dup3)"),
            Some("node 0, this is node 2: EBADF (poll)")
        ]
    );
}

#[test]
fn standard_input_and_output_can_be_node_0s() {
    let reported = as_node(1, |_| {
        // SAFETY: no memory.
        if unsafe { libc::fcntl(1, libc::F_GETFD) } < 0 {
            return 1;
        }
        streams_at_node_0(false);
        for fd in [0, 1] {
            // SAFETY: no memory.
            if !is_refused(unsafe { libc::fcntl(fd, libc::F_GETFD) } as isize) {
                return 2;
            }
        }
        // SAFETY: no memory.
        if unsafe { libc::fcntl(2, libc::F_GETFD) } < 0 { 3 } else { 0 }
    });
    // In this test there is no node 0 that could answer.
    let line = |fd| format!("dstd: descriptor {fd} belongs to node 0, this is node 1: EBADF (fcntl)\n");
    assert_eq!(reported, line(0) + &line(1));
    let reported = as_node(1, |_| {
        streams_at_node_0(true);
        // SAFETY: no memory.
        let [input, output] = [0, 1].map(|fd| unsafe { libc::fcntl(fd, libc::F_GETFD) });
        if is_refused(input as isize) && output >= 0 { 0 } else { 1 }
    });
    assert_eq!(reported, line(0));
    let reported = as_node(0, |_| {
        streams_at_node_0(false);
        // SAFETY: no memory.
        if unsafe { libc::fcntl(1, libc::F_GETFD) } < 0 { 1 } else { 0 }
    });
    assert_eq!(reported, "");
}

#[test]
fn numbers_that_belong_to_nobody_are_the_kernels_to_refuse() {
    let reported = as_node(1, |start| {
        for fd in [-1, libc::AT_FDCWD, c_int::MAX, start * c_int::from(NODES as i16)] {
            // SAFETY: no memory.
            if !is_refused(unsafe { libc::fsync(fd) } as isize) {
                return 1;
            }
        }
        // The common ones are nobody's and everybody's.
        // SAFETY: no memory.
        if unsafe { libc::fcntl(2, libc::F_GETFD) } < 0 { 2 } else { 0 }
    });
    assert_eq!(reported, "");
}

#[test]
fn a_forked_child_may_put_descriptors_anywhere() {
    let reported = as_node(1, |_| {
        let fd = open_null();
        // SAFETY: the child makes two calls and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: no memory.
            let done = unsafe { libc::dup2(fd, 5) };
            // SAFETY: ends the child.
            unsafe { libc::_exit(if done == 5 { 0 } else { 1 }) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above.
        if unsafe { libc::waitpid(child, &raw mut status, 0) } != child || status != 0 { 1 } else { 0 }
    });
    assert_eq!(reported, "");
}

#[test]
fn one_node_keeps_every_number() {
    // The test process itself is no node: nothing below is refused, whatever its number.
    let fd = open_null();
    // SAFETY: no memory.
    let high = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 900) };
    assert!(high >= 900, "errno {}", errno());
    // SAFETY: made above.
    assert_eq!(unsafe { libc::close(high) }, 0);
    // SAFETY: made above.
    assert_eq!(unsafe { libc::close(fd) }, 0);
}
