//! A link of shared memory between two threads.

mod bell;
#[path = "../../../transport/src/shm/door.rs"]
mod door;
#[path = "../../../transport/src/shm/layout.rs"]
mod layout;
#[path = "../../../transport/src/shm/link.rs"]
mod link;
#[path = "../../../transport/src/shm/receiver.rs"]
mod receiver;
mod region;
#[path = "../../../transport/src/shm/sender.rs"]
mod sender;

use std::io::IoSlice;

use crate::threads::{check, thread};
use bell::Bell;
use layout::{Layout, Side, Sizes};
use link::Link;
use receiver::Receiver;
use region::Region;
use sender::Sender;

fn pair(slots: u32, bulk_bytes: u32) -> [Link; 2] {
    let layout = Layout::new(Sizes { slots, bulk_bytes }).expect("small sizes");
    let region = Region::new(layout);
    let [one, two] = Bell::pair();
    [Link::new(Side::First, layout, region.clone(), one), Link::new(Side::Second, layout, region, two)]
}

/// Sleeps unless there is news, as the engine does.
fn sleep(link: &Link) {
    if link.arm(false).events & libc::POLLOUT == 0 {
        link.bell.sleep();
    }
    link.door().awake();
}

fn send(link: &Link, sender: &mut Sender, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let written = sender.write(link, &[IoSlice::new(bytes)]).expect("an honest peer");
        bytes = &bytes[written..];
        if !bytes.is_empty() {
            sleep(link);
        }
    }
}

fn receive(link: &Link, count: usize) -> Vec<u8> {
    let (mut receiver, mut all) = (Receiver::new(), Vec::new());
    while all.len() < count {
        let mut bytes = [0; 512];
        match receiver.read(link, &mut bytes).expect("an honest peer") {
            0 => sleep(link),
            some => all.extend_from_slice(&bytes[..some]),
        }
    }
    all
}

/// Two pieces through a ring of one slot: both sides have to wait for the other.
pub fn ring() {
    check(3, || {
        let [one, two] = pair(1, 64);
        let writer = thread::spawn(move || {
            let mut sender = Sender::new(1);
            send(&one, &mut sender, b"abcdefghi");
            send(&one, &mut sender, b"j");
            one
        });
        assert_eq!(receive(&two, 10), b"abcdefghij");
        drop(writer.join().expect("no panic"));
    });
}

/// A frame of two bulk pieces and a rest through an area of one: bytes are not overwritten before they are read.
pub fn bulk() {
    check(3, || {
        let [one, two] = pair(2, 64);
        let sent = [[1; 64], [2; 64], [3; 64], [4; 64]].concat();
        let expected = sent.clone();
        let writer = thread::spawn(move || {
            send(&one, &mut Sender::new(2), &sent);
            one
        });
        assert_eq!(receive(&two, expected.len()), expected);
        drop(writer.join().expect("no panic"));
    });
}

/// What was written before the writer left is read, and then the end is seen.
pub fn leaving() {
    check(4, || {
        let [one, two] = pair(2, 64);
        let writer = thread::spawn(move || {
            send(&one, &mut Sender::new(2), b"last");
            one.end();
            one
        });
        let (mut receiver, mut bytes, mut count) = (Receiver::new(), [0; 8], 0);
        loop {
            // The end is looked for first: what came before it is visible then.
            let over = two.is_over();
            let some = receiver.read(&two, &mut bytes[count..]).expect("an honest peer");
            count += some;
            if some == 0 && over {
                break;
            }
            if some == 0 {
                sleep(&two);
            }
        }
        assert_eq!(&bytes[..count], b"last");
        drop(writer.join().expect("no panic"));
    });
}
