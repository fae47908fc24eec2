//! Memory that is passed to the kernel while another node writes beside it all the time.

use dstd::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use dstd::thread;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::cluster;

/// One page of a stack, and what other nodes write of it.
#[repr(align(4096))]
struct Page {
    words: [AtomicU64; 8],
    bytes: [u8; 1_000],
}

/// Calls of every kind on a stack whose pages other nodes write.
pub(crate) fn beside_writers() -> String {
    for i in 0..cluster::size() {
        cluster::spawn(i, move || {
            for depth in 0..6 {
                at_depth(depth, i);
            }
        })
        .join()
        .unwrap();
    }
    format!("{} nodes", cluster::size())
}

/// The frames of std that follow lie elsewhere in their page with each level.
#[inline(never)]
fn at_depth(levels: u32, node: usize) {
    let frame = std::hint::black_box([levels; 160]);
    if levels == 0 {
        contended(node)
    } else {
        at_depth(levels - 1, node)
    }
    std::hint::black_box(frame);
}

fn contended(node: usize) {
    let mut page = Page { words: Default::default(), bytes: [node as u8; 1_000] };
    let below = [const { AtomicU64::new(0) }; 8];
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let (words, stop, below) = (&page.words, &stop, &below);
        cluster::scoped(scope, node + 1, move || {
            let mut step = 0;
            while !stop.load(Ordering::Relaxed) {
                for word in words.iter().chain(below) {
                    word.fetch_add(1, Ordering::Relaxed);
                }
                step += 1;
                cluster::pause(step, 1);
            }
        });
        // Without this a failed assertion below would leave the writer alone for ever.
        let done = OnDrop(stop);
        let bytes = &mut page.bytes;
        let name = format!("dstd-passed-{}-{node}", std::process::id());
        let path = std::env::temp_dir().join(name);
        for _ in 0..20 {
            files(&path, bytes);
            sockets(bytes);
            others();
        }
        drop(done);
    });
}

struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn files(path: &Path, bytes: &mut [u8; 1_000]) {
    let expected = *bytes;
    fs::create_dir(path).unwrap();
    let (first, second) = (path.join("first"), path.join("second"));
    let mut file = File::options().create_new(true).read(true).write(true).open(&first).unwrap();
    file.write_all(bytes).unwrap();
    let (head, tail) = bytes.split_at(300);
    assert_eq!(file.write_vectored(&[IoSlice::new(head), IoSlice::new(tail)]).unwrap(), 1_000);
    bytes.fill(0);
    file.read_exact_at(bytes, 1_000).unwrap();
    assert_eq!(*bytes, expected);
    file.seek(SeekFrom::Start(0)).unwrap();
    bytes.fill(0);
    let (head, tail) = bytes.split_at_mut(300);
    let mut parts = [IoSliceMut::new(head), IoSliceMut::new(tail)];
    assert_eq!(file.read_vectored(&mut parts).unwrap(), 1_000);
    assert_eq!(*bytes, expected);
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(5)).unwrap();
    let metadata = fs::metadata(&first).unwrap();
    assert_eq!((metadata.len(), metadata.is_file()), (2_000, true));
    assert_eq!(metadata.modified().unwrap(), SystemTime::UNIX_EPOCH + Duration::from_secs(5));
    assert_eq!(fs::copy(&first, &second).unwrap(), 2_000);
    fs::rename(&second, path.join("third")).unwrap();
    std::os::unix::fs::symlink(&first, &second).unwrap();
    assert_eq!(fs::read_link(&second).unwrap(), first);
    assert!(fs::symlink_metadata(&second).unwrap().is_symlink());
    assert_eq!(fs::canonicalize(&second).unwrap(), first.canonicalize().unwrap());
    fs::set_permissions(&first, metadata.permissions()).unwrap();
    let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["first", "second", "third"]);
    assert!(
        fs::metadata(path.join("fourth")).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    );
    fs::remove_file(&first).unwrap();
    fs::remove_dir_all(path).unwrap();
}

fn sockets(bytes: &mut [u8; 1_000]) {
    let expected = *bytes;
    let to = UdpSocket::bind("127.0.0.1:0").unwrap();
    let from = UdpSocket::bind("localhost:0").unwrap();
    to.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert_eq!(to.read_timeout().unwrap(), Some(Duration::from_secs(60)));
    assert_eq!(from.send_to(bytes, to.local_addr().unwrap()).unwrap(), 1_000);
    bytes.fill(0);
    assert_eq!(to.recv_from(bytes).unwrap(), (1_000, from.local_addr().unwrap()));
    assert_eq!(*bytes, expected);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    assert_eq!(address.to_string().to_socket_addrs().unwrap().next(), Some(address));
    let mut client = TcpStream::connect(address).unwrap();
    let (mut server, peer) = listener.accept().unwrap();
    assert_eq!((peer, client.peer_addr().unwrap()), (client.local_addr().unwrap(), address));
    client.write_all(bytes).unwrap();
    bytes.fill(0);
    server.read_exact(bytes).unwrap();
    assert_eq!(*bytes, expected);
}

fn others() {
    thread::sleep(Duration::from_micros(1));
    assert!(std::thread::available_parallelism().unwrap().get() > 0);
    assert!(std::env::current_dir().unwrap().is_absolute());
    // Its keys come from the kernel.
    let map: HashMap<_, _> = (0..10).map(|i| (i, i)).collect();
    assert_eq!(map.len(), 10);
    let script = "read line; echo $line $WORD; pwd; exit 3";
    let mut child = Command::new("sh")
        .args(["-c", script])
        .env("WORD", "word")
        .current_dir("/")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"line\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "line word\n/\n");
    let named = std::thread::Builder::new().name(String::from("named"));
    let name = named.spawn(|| std::thread::current().name().map(str::to_owned)).unwrap().join().unwrap();
    assert_eq!(name.as_deref(), Some("named"));
}
