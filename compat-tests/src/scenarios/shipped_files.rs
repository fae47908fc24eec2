//! Files and pipes used on other nodes than the one that opened them.

use dstd::sync::{Arc, Mutex};
use dstd::thread;
use std::cell::RefCell;
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{
    self, BufRead, BufReader, BufWriter, IoSlice, IoSliceMut, IsTerminal, Read, Seek, SeekFrom, Write,
};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::cluster;

/// A file of this scenario, without a name once it is open.
fn fresh(name: &str) -> File {
    let path = path(name);
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    fs::remove_file(path).unwrap();
    file
}

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("dstd-scenario-{}-{name}", std::process::id()))
}

fn pattern(len: usize, from: usize) -> Vec<u8> {
    (0..len).map(|k| (k * 31 + k / 4096 + from) as u8).collect()
}

const WRITERS: usize = 4;
const LINES: usize = 50;

/// Threads on all nodes append to one file, whole lines each.
pub(crate) fn append() -> String {
    let path = path("append");
    let file = Arc::new(File::options().read(true).append(true).create_new(true).open(&path).unwrap());
    let writers: Vec<_> = (0..WRITERS * cluster::size())
        .map(|who| {
            let file = Arc::clone(&file);
            cluster::spawn(who, move || {
                let mut file = &*file;
                for line in 0..LINES {
                    file.write_all(format!("{who} {line} {}\n", "x".repeat(who)).as_bytes()).unwrap();
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let mut seen = vec![0; WRITERS * cluster::size()];
    for line in fs::read_to_string(&path).unwrap().lines() {
        let words: Vec<_> = line.split(' ').collect();
        let [who, number, rest] = words[..] else { panic!("a torn line: {line:?}") };
        let who: usize = who.parse().unwrap();
        assert_eq!(number, seen[who].to_string(), "in order for each thread");
        assert_eq!(rest.len(), who);
        seen[who] += 1;
    }
    assert!(seen.iter().all(|&lines| lines == LINES));
    drop(file);
    fs::remove_file(path).unwrap();
    format!("{} lines", seen.len() * LINES)
}

/// What std does with a file, all of it elsewhere.
pub(crate) fn file_calls() -> String {
    for node in 0..cluster::size() {
        let mut file = fresh("calls");
        let mut file = cluster::spawn(node, move || {
            file.write_all(b"0123456789").unwrap();
            file.rewind().unwrap();
            let mut clone = file.try_clone().unwrap();
            clone.seek(SeekFrom::Current(4)).unwrap();
            assert_eq!(file.stream_position().unwrap(), 4, "a clone shares the position");
            let (mut a, mut b) = ([0; 2], [0; 9]);
            let count = file.read_vectored(&mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)]).unwrap();
            assert_eq!((count, &a, &b[..4]), (6, b"45", &b"6789"[..]));
            drop(clone);
            let parts = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"c")];
            assert_eq!(file.write_vectored(&parts).unwrap(), 3);
            assert_eq!(file.metadata().unwrap().len(), 13);
            file.set_len(5).unwrap();
            file.sync_all().unwrap();
            file.sync_data().unwrap();
            file.set_permissions(Permissions::from_mode(0o640)).unwrap();
            let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
            file.set_times(FileTimes::new().set_modified(then)).unwrap();
            let metadata = file.metadata().unwrap();
            assert_eq!((metadata.len(), metadata.mode() & 0o777), (5, 0o640));
            assert_eq!(metadata.modified().unwrap(), then);
            file.lock().unwrap();
            file.unlock().unwrap();
            assert!(!file.is_terminal());
            assert_eq!(file.seek(SeekFrom::Start(u64::MAX)).unwrap_err().kind(), io::ErrorKind::InvalidInput);
            file
        })
        .join()
        .unwrap();
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "01234");
        file.write_all_at(b"at", 1).unwrap();
        let file = cluster::spawn(node + 1, move || {
            let mut three = [0; 3];
            file.read_exact_at(&mut three, 0).unwrap();
            assert_eq!(&three, b"0at");
            file
        });
        drop(file.join().unwrap());
    }
    format!("{} files", cluster::size())
}

const LARGE: usize = (3 << 20) + 13;
static CONSTANT: [u8; 200_000] = [9; 200_000];
static SHARED: Mutex<[u8; 150_000]> = Mutex::new([0; 150_000]);

thread_local! {
    /// Memory of one node, as the owner of the file cannot use it where it lies.
    static OWN: RefCell<[u8; 100_000]> = const { RefCell::new([0; 100_000]) };
}

/// Large buffers, from every kind of memory: heap, stack, statics and thread-locals.
pub(crate) fn large_buffers() -> String {
    let data = pattern(LARGE, 1);
    for node in 0..cluster::size() {
        let file = fresh("large");
        thread::scope(|scope| {
            let (data, file) = (&data, &file);
            cluster::scoped(scope, node, move || {
                file.write_all_at(data, 0).unwrap();
                let mut on_stack = [0_u8; 100_000];
                file.read_exact_at(&mut on_stack, 5).unwrap();
                assert!(on_stack == data[5..100_005]);
                OWN.with_borrow_mut(|own| {
                    file.read_exact_at(own, 7).unwrap();
                    assert!(own[..] == data[7..100_007]);
                    own.fill(node as u8);
                    file.write_all_at(own, 9).unwrap();
                });
                file.write_all_at(&CONSTANT, 300_000).unwrap();
                let mut shared = SHARED.lock().unwrap();
                shared.fill(node as u8 + 1);
                file.write_all_at(&*shared, 600_000).unwrap();
                shared.fill(0);
                file.read_exact_at(&mut *shared, 600_001).unwrap();
                assert!(shared[..149_999].iter().all(|&byte| byte == node as u8 + 1));
            })
            .join()
            .unwrap();
            let mut expected = data.clone();
            expected[9..100_009].fill(node as u8);
            expected[300_000..500_000].fill(9);
            expected[600_000..750_000].fill(node as u8 + 1);
            cluster::scoped(scope, node + 1, move || {
                let mut all = Vec::new();
                { file }.read_to_end(&mut all).unwrap();
                assert!(all == expected);
            });
        });
    }
    format!("{LARGE} bytes")
}

/// Pipes between nodes, and buffers that move with what they hold.
pub(crate) fn pipes() -> String {
    for node in 0..cluster::size() {
        let (reader, writer) = io::pipe().unwrap();
        // More than a pipe holds: both ends block at their owner.
        let write = cluster::spawn(node, move || {
            let mut writer = BufWriter::new(writer);
            for line in 0..20_000 {
                writeln!(writer, "line {line}").unwrap();
            }
        });
        let read = cluster::spawn(node + 1, move || {
            let mut lines = 0;
            for line in BufReader::new(reader).lines() {
                assert_eq!(line.unwrap(), format!("line {lines}"));
                lines += 1;
            }
            lines
        });
        write.join().unwrap();
        assert_eq!(read.join().unwrap(), 20_000);
    }
    // As many reads as threads, all of them blocked until main writes.
    let pipes: Vec<_> = (0..24).map(|_| io::pipe().unwrap()).collect();
    let (readers, writers): (Vec<_>, Vec<_>) = pipes.into_iter().unzip();
    let readers: Vec<_> = readers
        .into_iter()
        .enumerate()
        .map(|(i, mut reader)| {
            cluster::spawn(i, move || {
                let mut byte = [0];
                reader.read_exact(&mut byte).unwrap();
                usize::from(byte[0])
            })
        })
        .collect();
    for (i, mut writer) in writers.into_iter().enumerate().rev() {
        writer.write_all(&[i as u8]).unwrap();
    }
    let read: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    assert!(read.into_iter().eq(0..24));
    String::from("24 readers")
}

/// `io::copy` between what one node or two have opened.
pub(crate) fn copies() -> String {
    let data = pattern(700_001, 5);
    for (source, target, here) in (0..27).map(|k| (k % 3, k / 3 % 3, k / 9)) {
        let bytes = data.clone();
        let from = cluster::spawn(source, move || {
            let mut file = fresh(&format!("from-{source}"));
            file.write_all(&bytes).unwrap();
            file.rewind().unwrap();
            file
        });
        let (mut from, to) = (from.join().unwrap(), cluster::spawn(target, || fresh("to")).join().unwrap());
        let to = cluster::spawn(here, move || {
            let mut to = to;
            assert_eq!(io::copy(&mut from, &mut to).unwrap(), 700_001);
            to
        });
        let mut to = to.join().unwrap();
        to.rewind().unwrap();
        let mut back = Vec::new();
        to.read_to_end(&mut back).unwrap();
        assert!(back == data, "from {source} to {target} on {here}");
    }
    // From a file to a socket, on a node that has opened neither.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let mut file = fresh("socket");
    file.write_all_at(&data, 0).unwrap();
    let sent = cluster::spawn(1, move || io::copy(&mut file, &mut stream).unwrap());
    let mut back = Vec::new();
    client.read_to_end(&mut back).unwrap();
    assert!(back == data);
    assert_eq!(sent.join().unwrap(), 700_001);
    String::from("28 copies")
}

/// Threads of all nodes are blocked in calls elsewhere when the program ends, by `exit` on the last node or with main.
pub(crate) fn blocked_at_the_end() -> String {
    let (tell, told) = dstd::sync::mpsc::channel();
    // Kept: nobody shall see the end of a pipe.
    let mut writers = Vec::new();
    for who in 0..2 * cluster::size() {
        let (mut reader, writer) = cluster::spawn(who + 1, || io::pipe().unwrap()).join().unwrap();
        writers.push(writer);
        let tell = tell.clone();
        cluster::spawn(who, move || {
            tell.send(()).unwrap();
            let read = reader.read(&mut [0]);
            println!("went on with {read:?}");
        });
    }
    told.iter().take(writers.len()).for_each(drop);
    if std::env::args().nth(2).is_some() {
        cluster::spawn(cluster::size() - 1, || std::process::exit(9)).join().unwrap();
    }
    std::mem::forget(writers);
    String::from("left")
}

/// As many calls as the second argument says, each of one byte: for counting messages.
pub(crate) fn counted() -> String {
    let calls: u64 = std::env::args().nth(2).map_or(10, |word| word.parse().unwrap());
    let file = fresh("counted");
    thread::scope(|scope| {
        let file = &file;
        cluster::scoped(scope, 1, move || {
            for at in 0..calls {
                file.write_all_at(&[at as u8], at).unwrap();
            }
        });
    });
    assert_eq!(file.metadata().unwrap().len(), calls);
    format!("{calls} calls")
}

/// Several descriptors of one owner are waited for elsewhere.
#[expect(unsafe_code, reason = "std has no function for it")]
pub(crate) fn polled() -> String {
    use std::os::fd::AsRawFd;

    let pipes: Vec<_> = (0..3).map(|_| io::pipe().unwrap()).collect();
    let (readers, mut writers): (Vec<_>, Vec<_>) = pipes.into_iter().unzip();
    let (tell, told) = dstd::sync::mpsc::channel();
    let waiter = cluster::spawn(1, move || {
        let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut polls: Vec<_> = readers.iter().map(|reader| entry(reader.as_raw_fd())).collect();
        polls.push(entry(-1));
        // SAFETY: four entries.
        let none = unsafe { libc::poll(polls.as_mut_ptr(), 4, 0) };
        assert_eq!(none, 0);
        tell.send(()).unwrap();
        // SAFETY: as above.
        let ready = unsafe { libc::poll(polls.as_mut_ptr(), 4, -1) };
        (ready, polls.iter().map(|poll| poll.revents).collect::<Vec<_>>())
    });
    told.recv().unwrap();
    writers[1].write_all(b"x").unwrap();
    let (ready, seen) = waiter.join().unwrap();
    assert_eq!((ready, &seen[..]), (1, &[0, libc::POLLIN, 0, 0][..]));
    String::from("one of three")
}
