//! Descriptors belong to the node that opened them.

use dstd::{place, thread};
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::fd::AsRawFd;

use crate::cluster;

/// `EBADF` of Linux.
const BAD_DESCRIPTOR: i32 = 9;

/// A call that is not made elsewhere fails there for another node's file, even when that node has files open, and
/// works here.
#[expect(unsafe_code, reason = "std makes no call that is refused")]
pub(crate) fn foreign_file() -> String {
    let path = std::env::temp_dir().join(format!("dstd-scenario-{}-foreign", std::process::id()));
    let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    file.write_all(b"of node 0").unwrap();
    println!("{file:?}");
    // SAFETY: no memory.
    let ask = |fd| match unsafe { libc::fcntl(fd, libc::F_GETOWN) } {
        0 => None,
        _ => std::io::Error::last_os_error().raw_os_error(),
    };
    assert_eq!(ask(file.as_raw_fd()), None);
    let refused = thread::scope(|scope| {
        let file = &file;
        cluster::scoped(scope, cluster::size() - 1, move || {
            let mut own: Vec<File> = (0..40).map(|_| File::open("/dev/null").unwrap()).collect();
            let mut buffer = [0; 16];
            let refused = [ask(file.as_raw_fd()), ask(file.as_raw_fd())];
            assert!(own.iter_mut().all(|null| matches!(null.read(&mut buffer), Ok(0))));
            refused
        })
        .join()
        .unwrap()
    });
    assert_eq!(refused, [Some(BAD_DESCRIPTOR); 2]);
    assert_eq!(std::fs::read(&path).unwrap(), b"of node 0");
    std::fs::remove_file(&path).unwrap();
    String::from("refused twice")
}

/// A directory that main's node reads is read on by the others, and dropped there: no file of theirs is closed by it, and
/// numbers of files that are opened later still tell whose they are.
pub(crate) fn foreign_directory() -> String {
    let directory = std::env::temp_dir().join(format!("dstd-scenario-{}-entries", std::process::id()));
    fs::create_dir(&directory).unwrap();
    for i in 0..cluster::size() {
        fs::write(directory.join(format!("{i}")), format!("file {i}")).unwrap();
    }
    let open = {
        let directory = directory.clone();
        move |i: usize| File::open(directory.join(format!("{i}"))).unwrap()
    };
    for i in 1..cluster::size().max(2) {
        let mut entries = fs::read_dir(&directory).unwrap();
        let first = entries.next().unwrap().unwrap().file_name();
        let open = open.clone();
        cluster::spawn(i, move || {
            let i = i % cluster::size();
            let before: Vec<File> = (0..3).map(|_| open(i)).collect();
            let rest = entries.by_ref().map(|entry| {
                let entry = entry.unwrap();
                assert_eq!(entry.metadata().unwrap().len(), 6);
                entry.file_name()
            });
            let mut names: Vec<_> = rest.chain([first]).collect();
            names.sort();
            assert!(names.iter().enumerate().all(|(i, name)| name.to_str() == Some(&format!("{i}"))));
            assert_eq!(names.len(), cluster::size());
            drop(entries);
            let after: Vec<File> = (0..3).map(|_| open(i)).collect();
            before.into_iter().chain(after).for_each(|file| assert_eq!(text(file), format!("file {i}")));
        })
        .join()
        .unwrap();
    }
    let files = cluster::everywhere(open);
    let mut numbers: Vec<_> = files.iter().map(AsRawFd::as_raw_fd).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), files.len(), "two nodes gave the same number");
    for (i, mut file) in files.into_iter().enumerate() {
        for other in i + 1..i + cluster::size() {
            thread::scope(|scope| {
                let file = &file;
                let text = cluster::scoped(scope, other, move || {
                    let mut clone = file.try_clone().unwrap();
                    clone.rewind().unwrap();
                    text(clone)
                });
                assert_eq!(text.join().unwrap(), format!("file {i}"), "on node {other}");
            });
        }
        file.rewind().unwrap();
        assert_eq!(place::call(cluster::nth(i), move || text(file)), format!("file {i}"));
    }
    fs::remove_dir_all(directory).unwrap();
    format!("{} files", numbers.len())
}

fn text(mut file: File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

/// What makes the kernel hold on to a buffer's pages: which of it is refused, the last thread's node and main's agree.
#[expect(unsafe_code, reason = "std has no words for most of it")]
pub(crate) fn pinned() -> String {
    use std::net::TcpListener;
    use std::os::unix::fs::OpenOptionsExt;

    let errno = |result: i64| match result {
        -1 => std::io::Error::last_os_error().raw_os_error().unwrap(),
        _ => 0,
    };
    let ask = move || {
        let path = std::env::current_exe().unwrap();
        let direct = File::options().read(true).custom_flags(libc::O_DIRECT).open(&path);
        let plain = File::open(path).unwrap();
        // SAFETY: no memory.
        let set = unsafe { libc::fcntl(plain.as_raw_fd(), libc::F_SETFL, libc::O_DIRECT) };
        let set = errno(set.into());
        // SAFETY: the kernel finds no address at null.
        let ring = errno(unsafe { libc::syscall(libc::SYS_io_uring_setup, 8_usize, 0_usize) });
        let me = std::process::id() as libc::pid_t;
        // SAFETY: no part, so no memory.
        let other = unsafe { libc::process_vm_readv(me, std::ptr::null(), 0, std::ptr::null(), 0, 0) };
        let other = errno(other as i64);
        let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (on, len) = (1_i32, size_of::<i32>() as u32);
        let (level, name) = (libc::SOL_SOCKET, libc::SO_ZEROCOPY);
        // SAFETY: the value is an integer.
        let zero_copy =
            unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const on).cast(), len) };
        let zero_copy = errno(zero_copy.into());
        let direct = direct.map_or_else(|error| error.raw_os_error().unwrap(), |_| 0);
        [direct, set, ring, other, zero_copy]
    };
    let here = ask();
    assert_eq!(cluster::spawn(cluster::size() - 1, ask).join().unwrap(), here);
    // File systems and sandboxes have their say about the first three.
    if here[3..] == [0, 0] {
        return String::from("allowed");
    }
    assert_eq!(here, [libc::EINVAL, libc::EINVAL, libc::ENOSYS, libc::ENOSYS, libc::EOPNOTSUPP]);
    String::from("refused")
}

/// A child process cannot be given another node's file; its own can.
pub(crate) fn given_to_a_child() -> String {
    use std::process::{Command, Stdio};

    let mut files =
        cluster::everywhere(|i| File::open(if i == 0 { "/dev/null" } else { "/dev/zero" }).unwrap());
    let file = files.swap_remove(0);
    let copy = file.try_clone().unwrap();
    assert!(Command::new("/bin/cat").stdin(Stdio::from(copy)).status().unwrap().success());
    let error = cluster::spawn(cluster::size() - 1, move || {
        Command::new("/bin/cat").stdin(Stdio::from(file)).status().unwrap_err()
    });
    assert_eq!(error.join().unwrap().raw_os_error(), Some(BAD_DESCRIPTOR));
    String::from("not given")
}

/// Descriptors of the runtime cannot be used from elsewhere, whatever their numbers.
#[expect(unsafe_code, reason = "nobody owns what is tried here")]
pub(crate) fn runtimes_own() -> String {
    let runtimes = || {
        let names: Vec<_> = fs::read_dir("/proc/self/fd")
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap().parse().unwrap())
            .collect();
        // SAFETY: no memory.
        let is_open = |&fd: &i32| fd > 2 && unsafe { libc::fcntl(fd, libc::F_GETFD) } & libc::FD_CLOEXEC != 0;
        names.into_iter().filter(is_open).collect::<Vec<i32>>()
    };
    let numbers = runtimes();
    assert!(numbers.len() > 2, "connections, memory: {numbers:?}");
    let refused = cluster::spawn(cluster::size() - 1, move || {
        let mut byte = 0_u8;
        for fd in numbers {
            // SAFETY: one byte.
            let read = unsafe { libc::read(fd, (&raw mut byte).cast(), 1) };
            let error = std::io::Error::last_os_error().raw_os_error();
            assert_eq!((read, error), (-1, Some(BAD_DESCRIPTOR)), "descriptor {fd}");
            // SAFETY: it must fail.
            assert_eq!(unsafe { libc::close(fd) }, -1, "descriptor {fd}");
        }
    });
    refused.join().unwrap();
    // The connections still work.
    cluster::everywhere(|i| i);
    String::from("all refused")
}
