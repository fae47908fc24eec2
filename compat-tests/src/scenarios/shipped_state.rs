//! What belongs to an open file, not to a thread or a number: its place, its flags, its life.

use dstd::place;
use dstd::sync::{Arc, mpsc};
use dstd::thread;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use crate::cluster;

const RECORD_BYTES: usize = 16;
const RECORDS: usize = 240;

/// Threads of all nodes read one file with one place: each record is read once, whole.
pub(crate) fn one_place() -> String {
    let path = std::env::temp_dir().join(format!("dstd-scenario-{}-place", std::process::id()));
    let text: String = (0..RECORDS).map(|i| format!("{i:15}\n")).collect();
    fs::write(&path, text).unwrap();
    let file = Arc::new(File::open(&path).unwrap());
    fs::remove_file(path).unwrap();
    let readers: Vec<_> = (0..2 * cluster::size())
        .map(|who| {
            let file = Arc::clone(&file);
            cluster::spawn(who, move || {
                let mut records = Vec::new();
                let mut record = [0; RECORD_BYTES];
                while (&*file).read(&mut record).unwrap() == RECORD_BYTES {
                    records.push(str::from_utf8(&record).unwrap().trim().parse::<usize>().unwrap());
                }
                assert!(records.is_sorted());
                records
            })
        })
        .collect();
    let mut records: Vec<_> = readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect();
    records.sort_unstable();
    assert!(records.into_iter().eq(0..RECORDS));
    // A thread elsewhere sets the place for all.
    let elsewhere = Arc::clone(&file);
    cluster::spawn(1, move || (&*elsewhere).seek(SeekFrom::Start(32)).unwrap()).join().unwrap();
    assert_eq!((&*file).stream_position().unwrap(), 32);
    format!("{RECORDS} records")
}

/// That a socket does not block is known on every node, wherever it was said; and so is what can be read.
#[expect(unsafe_code, reason = "std has no poll")]
pub(crate) fn nonblocking() -> String {
    fn poll(stream: &UnixStream, events: i16, timeout_ms: i32) -> i16 {
        let mut entry = libc::pollfd { fd: stream.as_raw_fd(), events, revents: 0 };
        // SAFETY: one entry.
        let ready = unsafe { libc::poll(&raw mut entry, 1, timeout_ms) };
        assert_eq!(ready, i32::from(entry.revents != 0));
        entry.revents
    }
    for node in 0..cluster::size() {
        let (one, mut two) = UnixStream::pair().unwrap();
        let one = Arc::new(one);
        let there = Arc::clone(&one);
        let filled = cluster::spawn(node, move || {
            there.set_nonblocking(true).unwrap();
            let nothing = (&*there).read(&mut [0]).unwrap_err();
            assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
            assert_eq!(poll(&there, libc::POLLIN, 0), 0);
            assert_eq!(poll(&there, libc::POLLIN, 20), 0);
            let mut filled = 0;
            // Small and large writes, until neither has room.
            for size in [100_000, 1] {
                loop {
                    match (&*there).write(&vec![7; size]) {
                        Ok(count) => filled += count,
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::WouldBlock);
                            break;
                        }
                    }
                }
            }
            assert_eq!(poll(&there, libc::POLLOUT, 0), 0);
            filled
        });
        let filled = filled.join().unwrap();
        assert_eq!((&*one).read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock, "it is one socket");
        let mut taken = vec![0; filled];
        two.read_exact(&mut taken).unwrap();
        assert!(taken.iter().all(|&byte| byte == 7));
        two.write_all(b"x").unwrap();
        let there = Arc::clone(&one);
        cluster::spawn(node, move || {
            assert_eq!(poll(&there, libc::POLLIN | libc::POLLOUT, -1), libc::POLLIN | libc::POLLOUT);
            let mut byte = [0];
            assert_eq!((&*there).read(&mut byte).unwrap(), 1);
            there.set_nonblocking(false).unwrap();
        })
        .join()
        .unwrap();
        drop(two);
        // It blocks again, and finds the end.
        let there = Arc::clone(&one);
        cluster::spawn(node, move || assert_eq!((&*there).read(&mut [0]).unwrap(), 0)).join().unwrap();
    }
    String::from("one socket each")
}

/// A number that was closed elsewhere is used again by its owner, while others of its file are read.
pub(crate) fn numbers_again() -> String {
    const TIMES: usize = 40;
    let (reader, mut writer) = io::pipe().unwrap();
    let copy = reader.try_clone().unwrap();
    let waiting = cluster::spawn(1, move || {
        let mut text = String::new();
        (&reader).read_to_string(&mut text).unwrap();
        text
    });
    // The other end of the same pipe is closed on the next node, its number used for files, and closed there.
    let mut number = copy.as_raw_fd();
    cluster::spawn(2, move || drop(copy)).join().unwrap();
    let mut again = 0;
    for time in 0..TIMES {
        let mut file = tempfile(time);
        again += usize::from(file.as_raw_fd() == number);
        number = file.as_raw_fd();
        let found = cluster::spawn(time, move || {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            text
        });
        assert_eq!(found.join().unwrap(), format!("file {time}"));
        write!(writer, "{time} ").unwrap();
    }
    drop(writer);
    let expected: String = (0..TIMES).map(|time| format!("{time} ")).collect();
    assert_eq!(waiting.join().unwrap(), expected);
    assert!(again > TIMES / 2, "only {again} numbers were used again");
    format!("{TIMES} files")
}

/// A file with the number in it, at its start.
fn tempfile(time: usize) -> File {
    let path = std::env::temp_dir().join(format!("dstd-scenario-{}-{time}", std::process::id()));
    let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    fs::remove_file(path).unwrap();
    write!(file, "file {time}").unwrap();
    file.rewind().unwrap();
    file
}

/// Threads of every node read what other nodes have opened, some of it right into large buffers, for ever.
pub(crate) fn never_done() -> String {
    for (rank, node) in place::nodes().enumerate() {
        println!("node {rank} is process {}", place::call(node, std::process::id));
    }
    let (tell, told) = mpsc::channel();
    let mut writers = Vec::new();
    for who in 0..3 * cluster::size() {
        let owner = who + 1 + who / cluster::size();
        let (mut reader, writer) = cluster::spawn(owner, || io::pipe().unwrap()).join().unwrap();
        writers.push(writer);
        let tell = tell.clone();
        cluster::spawn(who, move || {
            let mut buffer = vec![0; 2 << 20];
            tell.send(()).unwrap();
            loop {
                assert_ne!(reader.read(&mut buffer).unwrap(), 0);
            }
        });
    }
    told.iter().take(writers.len()).for_each(drop);
    println!("all run");
    // Every second one gets something now and then.
    loop {
        writers.iter_mut().step_by(2).for_each(|writer| writer.write_all(&[1; 1000]).unwrap());
        thread::yield_now();
    }
}
