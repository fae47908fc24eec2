//! The owner's side alone: the test process owns every descriptor.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::AsRawFd;

use super::super::wire::{Answer, decode_answer, encode};
use super::*;

fn carried(arg: u8, len: u32) -> Block {
    Block { arg, part: Part::Data, at: 0, len }
}

/// Serves the call as if it had come from another node.
fn served(kind: Kind, args: &[u64], blocks: &[Block], bytes: &[u8]) -> Vec<u8> {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    let body = encode(&Request { call: kind, args: all, blocks: blocks.to_vec(), bytes });
    serve(&Call { from: NodeId(1), id: 1, body })
}

fn answer<'a>(body: &'a [u8], rooms: &[u32]) -> Answer<'a> {
    decode_answer(body, rooms).expect("a whole answer")
}

#[test]
fn bytes_go_in_and_come_out() {
    let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
    let (from, to) = (reader.as_raw_fd() as u64, writer.as_raw_fd() as u64);
    let body = served(Kind::WriteVector, &[to], &[carried(1, 2), carried(1, 0), carried(1, 3)], b"abcde");
    assert_eq!(answer(&body, &[]).result, 5);
    let mut five = [0; 5];
    reader.read_exact(&mut five).expect("they are there");
    assert_eq!(&five, b"abcde");
    writer.write_all(b"fghij").expect("there is room");
    let body = served(Kind::ReadVector, &[from], &[carried(1, 2), carried(1, 10)], b"");
    let answer = answer(&body, &[2, 10]);
    assert_eq!((answer.result, answer.bytes), (5, &b"fghij"[..]));
    assert_eq!(answer.backs.iter().map(|back| back.count).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn failures_bring_their_number_and_no_bytes() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let body = served(Kind::Read, &[writer.as_raw_fd() as u64], &[carried(1, 8)], b"");
    let wrong_end = answer(&body, &[8]);
    assert_eq!((wrong_end.result, wrong_end.bytes.len()), (-i64::from(libc::EBADF), 0));
    drop(reader);
    let body = served(Kind::Write, &[writer.as_raw_fd() as u64], &[carried(1, 1)], b"x");
    assert_eq!(answer(&body, &[]).result, -i64::from(libc::EPIPE));
}

#[test]
fn lengths_come_back_as_the_kernel_says_them() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback");
    let body = served(Kind::OwnName, &[listener.as_raw_fd() as u64], &[carried(1, 4)], b"");
    let cut = answer(&body, &[4]);
    let len = size_of::<libc::sockaddr_in>() as u32;
    assert_eq!((cut.result, cut.backs[0]), (0, Back { count: 4, len }));
    let port = listener.local_addr().expect("it is bound").port();
    assert_eq!(cut.bytes[2..], port.to_be_bytes());
}

#[test]
fn a_poll_looks_at_every_descriptor() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(b"x").expect("there is room");
    let entry = |fd: c_int| {
        let mut bytes = fd.to_ne_bytes().to_vec();
        bytes.extend(libc::POLLIN.to_ne_bytes());
        bytes.extend([0, 0]);
        bytes
    };
    let mut bytes = [entry(-1), entry(reader.as_raw_fd())].concat();
    bytes.extend([0; 16]);
    let body = served(Kind::Poll, &[0, 0, 0, 0, 8], &[carried(0, 16), carried(2, 16)], &bytes);
    let answer = answer(&body, &[16]);
    assert_eq!(answer.result, 1);
    assert_eq!(answer.bytes[14..16], libc::POLLIN.to_ne_bytes());
}
