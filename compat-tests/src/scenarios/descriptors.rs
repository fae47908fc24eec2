//! Descriptors belong to the node that opened them.

use dstd::{place, thread};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;

use crate::cluster;

/// `EBADF` of Linux.
const BAD_DESCRIPTOR: i32 = 9;

/// A file that main opened is no file on another node, even when that node has files open: the
/// call fails there and works here.
pub(crate) fn foreign_file() -> String {
    let path = std::env::temp_dir().join(format!("dstd-scenario-{}-foreign", std::process::id()));
    let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    file.write_all(b"of node 0").unwrap();
    println!("{file:?}");
    let refused = thread::scope(|scope| {
        let file = &file;
        cluster::scoped(scope, cluster::size() - 1, move || {
            let mut own: Vec<File> = (0..40).map(|_| File::open("/dev/null").unwrap()).collect();
            let mut buffer = [0; 16];
            let refused = [
                (&*file).read(&mut buffer).unwrap_err().raw_os_error(),
                (&*file).write(b"elsewhere").unwrap_err().raw_os_error(),
            ];
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

/// A directory that main's node reads is dropped on the others: no file of theirs is closed by it, and
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
        let entries = fs::read_dir(&directory).unwrap();
        let open = open.clone();
        cluster::spawn(i, move || {
            let i = i % cluster::size();
            let before: Vec<File> = (0..3).map(|_| open(i)).collect();
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
    for (i, file) in files.into_iter().enumerate() {
        for other in i + 1..i + cluster::size() {
            thread::scope(|scope| {
                let file = &file;
                let read = cluster::scoped(scope, other, move || (&*file).read(&mut [0; 16]));
                let error = read.join().unwrap().unwrap_err();
                assert_eq!(error.raw_os_error(), Some(BAD_DESCRIPTOR), "file {i} on another node");
            });
        }
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
