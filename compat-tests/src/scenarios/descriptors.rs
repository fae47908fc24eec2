//! Descriptors belong to the node that opened them.

use dstd::thread;
use std::fs::File;
use std::io::{Read, Write};

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
