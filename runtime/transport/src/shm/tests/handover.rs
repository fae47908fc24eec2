//! Ends that change hands, and descriptors that are not those of a link.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::thread;

use dstd_addr::NodeId;

use super::super::layout::{Layout, MAGIC};
use super::super::region::Region;
use super::super::{LinkEnd, Sizes, accept, exchange, offer, sys};

const SIZES: Sizes = Sizes { slots: 16, bulk_bytes: 4096 };

/// Memory like that of a link, with this head and length.
fn memory(head: [u64; 3], bytes: u64) -> File {
    let memory = sys::new_memory(bytes).unwrap();
    if bytes >= 64 {
        let region = Region::map(&memory, 64).unwrap();
        for (word, value) in region.line(Layout::HEAD).iter().zip(head) {
            word.store(value, Ordering::Relaxed);
        }
    }
    memory
}

fn right() -> ([u64; 3], u64) {
    let layout = Layout::new(SIZES).unwrap();
    ([MAGIC, SIZES.slots.into(), SIZES.bulk_bytes.into()], layout.bytes() as u64)
}

/// A socket, and what keeps it connected.
fn socket() -> (UnixStream, OwnedFd) {
    let (kept, given) = UnixStream::pair().unwrap();
    (kept, given.into())
}

#[test]
fn an_end_survives_being_taken_apart() {
    let (one, two) = LinkEnd::pair(SIZES).unwrap();
    let (memory, socket) = two.into_fds();
    let two = LinkEnd::from_fds(false, memory, socket).unwrap();
    assert_eq!((one.sizes(), two.sizes()), (SIZES, SIZES));
    let (one, two) = (one.into_link().unwrap(), two.into_link().unwrap());
    one.slot_out(3)[0].store(42, Ordering::Relaxed);
    assert_eq!(two.slot_in(3)[0].load(Ordering::Relaxed), 42);
    one.bell.ring();
    assert!(!two.bell.hear());
    drop(one);
    assert!(two.bell.hear());
}

#[test]
fn only_memory_that_cannot_change_its_length_is_taken() {
    let (head, bytes) = right();
    let take = |memory: File| {
        let (_kept, socket) = socket();
        LinkEnd::from_fds(false, memory.into(), socket)
    };
    let refused = |memory| take(memory).err().expect("it was taken").kind();
    let unsealed = memory(head, bytes);
    assert_eq!(refused(unsealed.try_clone().unwrap()), ErrorKind::InvalidData);
    sys::seal(&unsealed).unwrap();
    take(unsealed.try_clone().unwrap()).unwrap();
    assert!(unsealed.set_len(0).is_err() && unsealed.set_len(bytes + 4096).is_err());
    assert_eq!(refused(File::open("/proc/self/exe").unwrap()), ErrorKind::InvalidData);
}

#[test]
fn a_head_that_lies_is_refused() {
    let ([magic, slots, bulk], bytes) = right();
    for (head, bytes) in [
        ([magic + 1, slots, bulk], bytes),
        ([magic, slots * 2, bulk], bytes),
        ([magic, slots, bulk * 2], bytes),
        ([magic, slots, bulk], bytes + 4096),
        ([magic, slots, bulk], bytes - 4096),
        ([magic, slots - 1, bulk], bytes),
        ([magic, slots | 1 << 32, bulk], bytes),
        ([magic, slots, 0], bytes),
        ([magic, u64::MAX, u64::MAX], bytes),
        ([magic, slots, bulk], 0),
        ([magic, slots, bulk], 63),
    ] {
        let memory = memory(head, bytes);
        sys::seal(&memory).unwrap();
        let (_kept, socket) = socket();
        let taken = LinkEnd::from_fds(true, memory.into(), socket);
        assert!(taken.is_err(), "{head:?} of {bytes} bytes was taken");
    }
}

#[test]
fn only_a_connected_unix_socket_is_taken() {
    let memory = || {
        let (head, bytes) = right();
        let memory = memory(head, bytes);
        sys::seal(&memory).unwrap();
        memory.into()
    };
    let (_kept, socket) = socket();
    LinkEnd::from_fds(true, memory(), socket).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert!(LinkEnd::from_fds(true, memory(), tcp.into()).is_err());
    assert!(LinkEnd::from_fds(true, memory(), memory()).is_err());
    let (_kept, datagrams) = std::os::unix::net::UnixDatagram::pair().unwrap();
    assert!(LinkEnd::from_fds(true, memory(), datagrams.into()).is_err());
}

#[test]
fn the_lower_rank_decides() {
    let (here, there) = UnixStream::pair().unwrap();
    let other = Sizes { slots: 1, bulk_bytes: 64 };
    let two = thread::spawn(move || exchange(&there, NodeId(7), NodeId(3), other).unwrap());
    let one = exchange(&here, NodeId(3), NodeId(7), SIZES).unwrap();
    assert_eq!((one.sizes(), two.join().unwrap().sizes()), (SIZES, SIZES));
}

#[test]
fn something_else_than_a_link_is_refused_and_closed() {
    let (here, there) = UnixStream::pair().unwrap();
    let (mut kept, given) = UnixStream::pair().unwrap();
    let given = OwnedFd::from(given);
    sys::send_fds(&here, b"no link!", [&given, &given]).unwrap();
    drop(given);
    assert_eq!(accept(&there).err().unwrap().kind(), ErrorKind::InvalidData);
    assert_eq!(kept.read(&mut [0]).unwrap(), 0, "the descriptors were kept open");

    (&here).write_all(b"shm link").unwrap();
    assert_eq!(accept(&there).err().unwrap().kind(), ErrorKind::InvalidData, "no descriptors");
    (&here).write_all(b"shm").unwrap();
    assert_eq!(accept(&there).err().unwrap().kind(), ErrorKind::InvalidData, "a part");
    drop(here);
    assert_eq!(accept(&there).err().unwrap().kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn an_offer_to_nobody_fails() {
    let (here, there) = UnixStream::pair().unwrap();
    drop(there);
    assert_eq!(offer(&here, SIZES).err().unwrap().kind(), ErrorKind::BrokenPipe);
}
