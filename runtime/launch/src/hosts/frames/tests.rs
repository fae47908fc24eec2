//! What is said arrives as it was said, or not at all.

use super::*;
use std::os::unix::ffi::OsStringExt;

fn job() -> Job {
    Job {
        version: "1".to_owned(),
        job_id: "j".to_owned(),
        path: OsString::from_vec(b"/no \xfftext".to_vec()),
        name: "p".into(),
        args: vec!["".into(), "a b".into()],
        vars: vec![("A".into(), OsString::from_vec(vec![0xfe]))],
        dir: "/".into(),
        size: 3,
        ranks: vec![(1, 0), (2, 1)],
        controller: "10.0.0.1:5".parse().unwrap(),
        connect_timeout_ms: 7,
        options: vec![("DSTD_PLACEMENT".to_owned(), "local".to_owned())],
        addr: Some("fe80::1".parse().unwrap()),
        iface: None,
        ports: Some("1-2".to_owned()),
        secret: Secret::from_bytes([9; 32]),
        build: "build-id ab".to_owned(),
        each_stdout: true,
        sent: Some((5, [3; 32])),
    }
}

fn to_agent() -> Vec<ToAgent> {
    vec![
        ToAgent::Job(Box::new(job())),
        ToAgent::Piece(vec![1, 2, 3]),
        ToAgent::Whole,
        ToAgent::Go { descriptors: u64::MAX },
        ToAgent::Signal { rank: 63, scope: Scope::Group, signal: 9 },
        ToAgent::Signal { rank: 1, scope: Scope::GroupThatTakesIt, signal: 10 },
        ToAgent::Signal { rank: 0, scope: Scope::Process, signal: 15 },
        ToAgent::Stdin(Vec::new()),
        ToAgent::StdinEnd,
        ToAgent::StdoutClosed,
    ]
}

fn from_agent() -> Vec<FromAgent> {
    let words = || "w\u{e4}r \"\n".to_owned();
    let ended = |status| FromAgent::Ended { rank: 2, status, peak_rss_bytes: 1 << 40 };
    vec![
        FromAgent::Ready { descriptors: 1024 },
        FromAgent::Refused { code: 66, words: words() },
        FromAgent::Spawned { rank: 1, pid: u32::MAX },
        FromAgent::NotSpawned { rank: 1, code: 72, words: words() },
        FromAgent::Stdout { rank: 3, bytes: vec![0; 70_000] },
        FromAgent::Stderr { rank: 3, bytes: Vec::new() },
        FromAgent::StdinTaken,
        FromAgent::Phase { rank: 3, phase: Phase::Booting },
        FromAgent::Phase { rank: 3, phase: Phase::Running },
        FromAgent::Stats { rank: 1, bytes: vec![7; 16] },
        ended(Status::Exit(-1)),
        ended(Status::Signal { signal: 9, core: false }),
        ended(Status::Signal { signal: 11, core: true }),
        ended(Status::Lost),
    ]
}

#[test]
fn messages_come_back_as_they_were() {
    let mut stream = Vec::new();
    for message in to_agent() {
        message.into_frame().unwrap().write(&mut stream).unwrap();
    }
    for message in from_agent() {
        message.into_frame().write(&mut stream).unwrap();
    }
    let mut stream = &stream[..];
    for message in to_agent() {
        let frame = Frame::read(&mut stream).unwrap().unwrap();
        assert_eq!(ToAgent::from_frame(frame).unwrap(), message);
    }
    for message in from_agent() {
        let frame = Frame::read(&mut stream).unwrap().unwrap();
        assert_eq!(FromAgent::from_frame(frame).unwrap(), message);
    }
    assert!(Frame::read(&mut stream).unwrap().is_none());
}

#[test]
fn a_cut_stream_is_an_error_and_its_end_is_not() {
    let mut whole = Vec::new();
    FromAgent::Spawned { rank: 1, pid: 2 }.into_frame().write(&mut whole).unwrap();
    assert!(Frame::read(&mut &whole[..0]).unwrap().is_none());
    for cut in 1..whole.len() {
        assert!(Frame::read(&mut &whole[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn nonsense_is_an_error() {
    for bytes in [[0_u8; 8], [0xff; 8], [2, 0, 0, 0, 1, 0, 0, 0]] {
        assert!(Frame::read(&mut &bytes[..]).is_err(), "{bytes:?}");
    }
    for kind in 0..=255 {
        for body in [Vec::new(), vec![0xff; 3], vec![0xff; 24]] {
            // Errors or other messages, never a panic.
            drop(ToAgent::from_frame(Frame::new(kind, 0, body.clone())));
            drop(FromAgent::from_frame(Frame::new(kind, 0, body)));
        }
    }
    assert!(ToAgent::from_frame(Frame::new(99, 0, Vec::new())).is_err());
    assert!(FromAgent::from_frame(Frame::new(1, 0, Vec::new())).is_err());
}

#[test]
fn the_greeting_is_found_behind_what_a_shell_prints() {
    let mut stream = b"Welcome!\ndstd-agent: no\n".to_vec();
    greet(&mut stream).unwrap();
    stream.push(42);
    let mut stream = &stream[..];
    assert!(await_greeting(&mut stream).unwrap());
    assert_eq!(stream, [42]);
    assert!(!await_greeting(&mut &b"Welcome!\n"[..]).unwrap());
}
