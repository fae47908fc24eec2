//! Streams that were opened on another node: those of the test process, which has the low numbers.

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use libc::{DIR, FILE};

use super::{as_node, c_int, errno, is_refused, open_null};
use crate::interpose::fd::fillers;

static DIRECTORY: AtomicPtr<DIR> = AtomicPtr::new(ptr::null_mut());
static FILE: AtomicPtr<FILE> = AtomicPtr::new(ptr::null_mut());

fn is_open(fd: c_int) -> bool {
    fillers::dup_from(fd, libc::F_DUPFD_CLOEXEC, 0).is_ok_and(|copy| fillers::close(copy).is_ok())
}

fn open_root() -> *mut DIR {
    // SAFETY: a C string.
    let dir = unsafe { libc::opendir(c"/".as_ptr()) };
    assert!(!dir.is_null(), "errno {}", errno());
    dir
}

#[test]
fn directories_of_other_nodes_are_left_open() {
    let dir = open_root();
    DIRECTORY.store(dir, Ordering::Relaxed);
    let reported = as_node(2, |start| {
        let dir = DIRECTORY.load(Ordering::Relaxed);
        // SAFETY: an open stream.
        let fd = unsafe { libc::dirfd(dir) };
        // SAFETY: an open stream.
        if !unsafe { libc::readdir64(dir) }.is_null() || errno() != libc::EBADF {
            return 1;
        }
        // SAFETY: an open stream.
        if !unsafe { libc::readdir(dir) }.is_null() || errno() != libc::EBADF {
            return 2;
        }
        // SAFETY: an open stream.
        unsafe { libc::rewinddir(dir) };
        // SAFETY: no memory.
        if !unsafe { libc::fdopendir(fd) }.is_null() || errno() != libc::EBADF {
            return 4;
        }
        // The stream ends. Its descriptor would as well, if its node were there to be asked.
        // SAFETY: an open stream, not used any more.
        if !is_refused(unsafe { libc::closedir(dir) } as isize) {
            return 3;
        }
        if !is_open(fd) {
            return 5;
        }
        if open_null() < start { 6 } else { 0 }
    });
    // SAFETY: an open stream.
    let fd = unsafe { libc::dirfd(dir) };
    let expected: String =
        ["EBADF (readdir64)", "EBADF (readdir)", "EBADF (rewinddir)", "EBADF (fdopendir)", "EBADF (close)"]
            .iter()
            .map(|end| format!("dstd: descriptor {fd} belongs to node 0, this is node 2: {end}\n"))
            .collect();
    assert_eq!(reported, expected);
    // On its own node the stream still works, and ends.
    // SAFETY: an open stream.
    assert!(!unsafe { libc::readdir64(dir) }.is_null());
    // SAFETY: an open stream, not used any more.
    assert_eq!(unsafe { libc::closedir(dir) }, 0);
}

#[test]
fn files_of_other_nodes_are_left_open() {
    // SAFETY: C strings.
    let file = unsafe { libc::fopen(c"/dev/null".as_ptr(), c"r+e".as_ptr()) };
    assert!(!file.is_null(), "errno {}", errno());
    FILE.store(file, Ordering::Relaxed);
    let reported = as_node(1, |start| {
        let file = FILE.load(Ordering::Relaxed);
        // SAFETY: an open stream.
        let fd = unsafe { libc::fileno(file) };
        // SAFETY: C strings and an open stream.
        let reopened = unsafe { libc::freopen(c"/dev/zero".as_ptr(), c"r".as_ptr(), file) };
        if !reopened.is_null() || errno() != libc::EBADF {
            return 1;
        }
        // SAFETY: an open stream, which this node does not close.
        if !is_refused(unsafe { libc::fclose(file) } as isize) {
            return 2;
        }
        // SAFETY: a C string.
        if !unsafe { libc::fdopen(fd, c"r".as_ptr()) }.is_null() || errno() != libc::EBADF {
            return 3;
        }
        if !is_open(fd) {
            return 4;
        }
        if open_null() < start { 5 } else { 0 }
    });
    let calls: Vec<_> = reported.lines().map(|line| line.split(": ").last()).collect();
    assert_eq!(calls, [Some("EBADF (freopen)"), Some("EBADF (fclose)"), Some("EBADF (fdopen)")]);
    // SAFETY: an open stream, not used any more.
    assert_eq!(unsafe { libc::fclose(file) }, 0);
}

/// Reads a directory and opens a file, with descriptors from `start` on; 0, or the step that failed.
fn use_streams(start: c_int) -> u8 {
    // SAFETY: a C string.
    let root = unsafe { libc::open(c"/".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC) };
    // SAFETY: the descriptor passes to the stream.
    for dir in [unsafe { libc::fdopendir(root) }, open_root()] {
        // SAFETY: an open stream.
        if dir.is_null() || unsafe { libc::dirfd(dir) } < start {
            return 1;
        }
        let mut entries = 0;
        // SAFETY: an open stream.
        while !unsafe { libc::readdir64(dir) }.is_null() {
            entries += 1;
        }
        // SAFETY: an open stream.
        unsafe { libc::rewinddir(dir) };
        // SAFETY: an open stream.
        while !unsafe { libc::readdir(dir) }.is_null() {
            entries -= 1;
        }
        // SAFETY: an open stream, not used any more.
        if entries != 0 || unsafe { libc::closedir(dir) } != 0 {
            return 2;
        }
    }
    // SAFETY: C strings.
    let file = unsafe { libc::fopen(c"/dev/null".as_ptr(), c"r".as_ptr()) };
    // SAFETY: an open stream.
    if file.is_null() || unsafe { libc::fileno(file) } < start {
        return 3;
    }
    // SAFETY: an open stream, not used any more.
    if unsafe { libc::fclose(file) } != 0 {
        return 4;
    }
    // SAFETY: a C string.
    if !unsafe { libc::opendir(c"/dev/null".as_ptr()) }.is_null() || errno() != libc::ENOTDIR { 5 } else { 0 }
}

#[test]
fn own_streams_are_libcs() {
    // As the only node; the functions of libc that are looked up here are not looked up in the child.
    assert_eq!(use_streams(0), 0);
    let reported = as_node(1, use_streams);
    assert_eq!(reported, "");
}

#[test]
fn streams_do_not_fall_into_holes() {
    assert_eq!(use_streams(0), 0);
    let reported = as_node(1, |start| {
        // SAFETY: a C string.
        let dir = || unsafe { libc::opendir(c"/".as_ptr()) };
        // SAFETY: C strings.
        let file = || unsafe { libc::fopen(c"/dev/null".as_ptr(), c"r".as_ptr()) };
        if fillers::close(start - 2).is_err() {
            return 1;
        }
        // SAFETY: an open stream.
        if unsafe { libc::dirfd(dir()) } < start {
            return 2;
        }
        if fillers::close(start - 2).is_err() {
            return 3;
        }
        // SAFETY: an open stream.
        if unsafe { libc::fileno(file()) } < start { 4 } else { 0 }
    });
    assert_eq!(reported, "");
}
