//! What was encoded comes back; nothing else is taken for a call or an answer.

use super::*;

/// Global addresses of these tests.
const GLOBAL: u64 = 0x1000_0000_0000;

fn is_global(at: u64, len: u32) -> bool {
    (GLOBAL..GLOBAL + 0x10_0000).contains(&at) && at + u64::from(len) <= GLOBAL + 0x10_0000
}

fn block(arg: u8, part: Part, at: u64, len: u32) -> Block {
    Block { arg, part, at, len }
}

fn carried(arg: u8, len: u32) -> Block {
    block(arg, Part::Data, 0, len)
}

fn request(call: Call, args: [u64; 6], blocks: &[Block], bytes: &'static [u8]) -> Request<'static> {
    Request { call, args, blocks: blocks.to_vec(), bytes }
}

/// One of each shape.
fn samples() -> Vec<Request<'static>> {
    let fd = [9, 0, 0, 0, 0, 0];
    vec![
        request(Call::Close, fd, &[], b""),
        request(Call::Read, fd, &[carried(1, 500)], b""),
        request(Call::Read, fd, &[block(1, Part::Data, GLOBAL, 0x10_0000)], b""),
        request(Call::Write, fd, &[carried(1, 3)], b"abc"),
        request(
            Call::WriteVector,
            fd,
            &[carried(1, 2), block(1, Part::Data, GLOBAL, 7), carried(1, 1)],
            b"abc",
        ),
        request(Call::StatX, [9, 1, 0x1000, 4, 1, 0], &[carried(1, 2), carried(4, 256)], b"p\0"),
        request(Call::SetTimes, fd, &[carried(2, 32)], &[1; 32]),
        request(Call::SetTimes, fd, &[], b""),
        request(Call::Ioctl, [9, libc::FIONBIO, 1, 0, 0, 0], &[carried(2, 4)], &[1, 0, 0, 0]),
        request(Call::Ioctl, [9, libc::FIONREAD, 1, 0, 0, 0], &[carried(2, 4)], b""),
        request(Call::AcceptWith, [9, 0, 0, 0, 0, 0], &[carried(1, 128)], b""),
        request(Call::AcceptWith, [9, 0, 0, 0, 0, 0], &[], b""),
        request(Call::SendTo, fd, &[carried(1, 2), carried(4, 3)], b"adadr"),
        request(
            Call::SendMessage,
            fd,
            &[carried(1, 1), carried(1, 2), block(1, Part::Name, 0, 1), block(1, Part::Control, 0, 2)],
            b"dddncc",
        ),
        request(
            Call::ReceiveMessage,
            fd,
            &[
                block(1, Part::Data, GLOBAL + 5, 9),
                block(1, Part::Name, 0, 128),
                block(1, Part::Control, 0, 64),
            ],
            b"",
        ),
        request(Call::CopyRange, [9, 0, 8, 0, 77, 0], &[carried(1, 8)], &[0; 8]),
        request(Call::Poll, [0; 6], &[carried(0, 16), carried(2, 16)], &[3; 32]),
    ]
}

#[test]
fn a_call_comes_back_as_it_was_sent() {
    for request in samples() {
        let body = encode(&request);
        assert_eq!(decode(&body, is_global).as_ref(), Some(&request));
    }
}

#[test]
fn a_cut_or_grown_call_is_refused() {
    for request in samples() {
        let body = encode(&request);
        for len in 0..body.len() {
            assert_eq!(decode(&body[..len], is_global), None, "{request:?} cut to {len}");
        }
        let mut longer = body;
        longer.push(0);
        assert_eq!(decode(&longer, is_global), None, "{request:?} grown");
    }
}

#[test]
fn blocks_that_the_call_does_not_ask_for_are_refused() {
    let fd = [9, 0, 0, 0, 0, 0];
    let wrong = [
        ("a block of no argument", request(Call::Close, fd, &[carried(0, 1)], b"")),
        ("a block beyond the arguments", request(Call::Read, fd, &[carried(1, 1), carried(6, 1)], b"")),
        ("a block of a length", request(Call::Read, fd, &[carried(1, 1), carried(2, 1)], b"")),
        ("no buffer", request(Call::Read, fd, &[], b"")),
        ("two buffers", request(Call::Read, fd, &[carried(1, 1), carried(1, 1)], b"")),
        ("a buffer that is not global", request(Call::Read, fd, &[block(1, Part::Data, 64, 8)], b"")),
        ("a buffer that leaves", request(Call::Read, fd, &[block(1, Part::Data, GLOBAL, 0x10_0001)], b"")),
        ("a buffer of a huge length", request(Call::Read, fd, &[carried(1, u32::MAX)], b"")),
        ("a small structure", request(Call::Stat, fd, &[carried(1, 8)], b"")),
        ("no structure", request(Call::Stat, fd, &[], b"")),
        ("a structure in place", request(Call::Stat, fd, &[block(1, Part::Data, GLOBAL, 144)], b"")),
        ("half an entry", request(Call::Poll, [0; 6], &[carried(0, 12)], &[0; 12])),
        ("a path without an end", request(Call::StatAt, fd, &[carried(1, 2), carried(2, 144)], b"ab")),
        ("an empty path", request(Call::StatAt, fd, &[carried(1, 0), carried(2, 144)], b"")),
        ("a name of no message", request(Call::Write, fd, &[block(1, Part::Name, 0, 1)], b"a")),
        (
            "parts in disorder",
            request(Call::ReceiveMessage, fd, &[block(1, Part::Control, 0, 8), carried(1, 8)], b""),
        ),
        (
            "two names",
            request(Call::ReceiveMessage, fd, &[block(1, Part::Name, 0, 8), block(1, Part::Name, 0, 8)], b""),
        ),
        ("a name in place", request(Call::ReceiveMessage, fd, &[block(1, Part::Name, GLOBAL, 8)], b"")),
        ("an unknown request", request(Call::Ioctl, [9, 0x5412, 0, 0, 0, 0], &[carried(2, 4)], &[0; 4])),
        (
            "a request's other size",
            request(Call::Ioctl, [9, libc::FIONBIO, 0, 0, 0, 0], &[carried(2, 8)], &[0; 8]),
        ),
        ("a lock of a process", request(Call::Control, [9, libc::F_SETLK as u64, 0, 0, 0, 0], &[], b"")),
    ];
    for (what, request) in wrong {
        assert_eq!(decode(&encode(&request), is_global), None, "{what}");
    }
    let many = vec![carried(1, 0); PARTS_MAX + 3];
    assert_eq!(
        decode(&encode(&request(Call::ReadVector, fd, &many, b"")), is_global),
        None,
        "too many parts"
    );
    let mut body = encode(&samples()[0]);
    body[0..2].copy_from_slice(&u16::MAX.to_le_bytes());
    assert_eq!(decode(&body, is_global), None, "an unknown call");
}

/// Whatever is changed in a body, it is refused, or it is again a call whose blocks are as long as the kernel is told.
#[test]
fn a_changed_call_is_refused_or_whole() {
    let seed = std::env::var("DSTD_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    println!("replay with DSTD_SEED={seed} cargo test -p dstd-runtime --lib a_changed_call");
    let mut state = seed;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut accepted = 0;
    for sample in samples() {
        for _ in 0..3_000 {
            let mut body = encode(&sample);
            for _ in 0..1 + random(3) {
                let at = random(body.len());
                body[at] = [0, 1, 0x7f, 0xff, random(256) as u8][random(5)];
            }
            let Some(request) = decode(&body, is_global) else { continue };
            accepted += 1;
            let goes_in: usize = request
                .blocks
                .iter()
                .filter(|block| block.is_carried() && request.way(block).goes_in())
                .map(|block| block.len as usize)
                .sum();
            assert_eq!(goes_in, request.bytes.len());
            for block in &request.blocks {
                assert!(block.is_carried() || is_global(block.at, block.len), "{request:?}");
                assert!(request.call.row().args[usize::from(block.arg)].is_pointer(), "{request:?}");
            }
            assert!(request.call.is_shippable(&request.args));
        }
    }
    assert!(accepted > 100, "the changes were all too large to test anything");
}

#[test]
fn an_answer_comes_back_as_it_was_made() {
    let backs = [Back { count: 3, len: 16 }, Back { count: 0, len: 70_000 }];
    let mut body = encode_answer(-9, 5, &backs);
    body.extend(b"abc");
    let answer = decode_answer(&body, &[3, 0]).expect("valid");
    assert_eq!(
        (answer.result, answer.flags, answer.backs.as_slice(), answer.bytes),
        (-9, 5, &backs[..], &b"abc"[..])
    );
    for len in 0..body.len() {
        assert_eq!(decode_answer(&body[..len], &[3, 0]), None, "cut to {len}");
    }
    assert_eq!(decode_answer(&body, &[2, 0]), None, "more than there is room for");
    assert_eq!(decode_answer(&body, &[3]), None, "a block less");
    body.push(0);
    assert_eq!(decode_answer(&body, &[3, 0]), None, "grown");
}
