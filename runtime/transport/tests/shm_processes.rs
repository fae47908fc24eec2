//! Shared memory between two processes: sleeping, leaving, and being killed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{IoSlice, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::thread;

use dstd_addr::NodeId;
use dstd_transport::shm::{Shm, Sizes, exchange};
use dstd_transport::wait::{Cores, Idle, Waiter};
use dstd_transport::{CloseReason, Event, HEADER_BYTES, Header, Outbox, Transport, set_body_bytes};

const PARENT: NodeId = NodeId(0);
const CHILD: NodeId = NodeId(1);

/// Tells the other process what to do.
const ROLE: &str = "DSTD_TRANSPORT_TEST_ROLE";

/// Larger than what a link holds.
const LARGE: usize = 8 << 20;

/// The other process, ended with its owner, and what connects it besides the link.
struct Other {
    process: Child,
    stream: UnixStream,
}

impl Other {
    /// Starts this test binary once more and sets up a link to it.
    fn start(role: &str, sizes: Sizes) -> (Other, Shm) {
        let (stream, given) = UnixStream::pair().unwrap();
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_other_process", "--ignored", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::from(OwnedFd::from(given)))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let other = Other { process, stream };
        let link = exchange(&other.stream, PARENT, CHILD, sizes).unwrap();
        assert_eq!(link.sizes(), sizes);
        (other, Shm::new(PARENT, vec![None, Some(link)]).unwrap())
    }

    /// Waits until the other process has come to its point.
    fn wait(&mut self) {
        self.stream.read_exact(&mut [0]).unwrap();
    }

    fn kill_9(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// One round of an engine that never spins.
fn step(node: &mut Shm, waiter: &mut Waiter, sink: &mut dyn FnMut(&mut dyn Outbox, Event<'_>)) {
    let events = node.poll(sink);
    node.flush();
    if events == 0 && waiter.idle() == Idle::Sleep {
        let mut fds = Vec::new();
        node.fds(&mut fds);
        waiter.sleep(&mut fds, None).unwrap();
    }
}

/// Sleeps and polls until the peer is gone; returns the lengths of the frames that came, and why.
fn to_the_end(node: &mut Shm) -> (Vec<usize>, CloseReason) {
    let mut waiter = Waiter::new(0, Cores::Shared);
    let mut lens = Vec::new();
    let mut end = None;
    loop {
        step(node, &mut waiter, &mut |_, event| match event {
            Event::Frame { body, .. } => lens.push(body.len()),
            Event::Closed { why, .. } => end = Some(why),
        });
        if let Some(why) = end {
            return (lens, why);
        }
    }
}

fn header(len: usize) -> Header {
    let mut header = [0; HEADER_BYTES];
    set_body_bytes(&mut header, len as u32);
    header
}

fn send(node: &mut Shm, to: NodeId, body: &[u8]) {
    node.send(to, &header(body.len()), &[IoSlice::new(body)]).unwrap();
}

/// Flushes until nothing moves: everything is written, or the ring is full and nobody reads.
fn flush_what_fits(node: &mut Shm) -> usize {
    let mut waiting = node.flush();
    loop {
        let before = waiting;
        waiting = node.flush();
        if waiting == before {
            return waiting;
        }
    }
}

#[test]
fn two_sleeping_processes_answer_each_other() {
    for (sizes, rounds, len) in [
        (Sizes::default(), 5000, 8),
        (Sizes::default(), 200, 100_000),
        (Sizes { slots: 1, bulk_bytes: 64 }, 300, 1000),
        (Sizes { slots: 4, bulk_bytes: 4096 }, 5, 1 << 20),
    ] {
        let (mut other, mut node) = Other::start("echo", sizes);
        let mut waiter = Waiter::new(0, Cores::Shared);
        for round in 0..rounds {
            let body = vec![round as u8; len];
            send(&mut node, CHILD, &body);
            node.flush();
            let mut back = false;
            while !back {
                step(&mut node, &mut waiter, &mut |_, event| match event {
                    Event::Frame { body: answer, .. } => {
                        assert!(answer == body, "answer {round} of {len} bytes");
                        back = true;
                    }
                    Event::Closed { why, .. } => panic!("{why}"),
                });
            }
        }
        drop(node);
        assert!(other.process.wait().unwrap().success(), "the echo saw a clean end");
    }
}

#[test]
fn a_process_that_leaves_is_closed_cleanly_after_its_frames() {
    let (_other, mut node) = Other::start("leave", Sizes::default());
    let (lens, why) = to_the_end(&mut node);
    assert_eq!(lens, [0, 1, 2, LARGE]);
    assert!(why.is_clean(), "{why}");
}

#[test]
fn a_process_killed_between_frames_is_closed_cleanly() {
    let (mut other, mut node) = Other::start("between", Sizes::default());
    other.wait();
    other.kill_9();
    let (lens, why) = to_the_end(&mut node);
    assert_eq!(lens, [10; 100]);
    assert!(why.is_clean(), "{why}");
}

#[test]
fn a_process_killed_in_a_frame_is_closed_in_a_frame() {
    for sizes in [Sizes::default(), Sizes { slots: 1, bulk_bytes: 64 }] {
        let (mut other, mut node) = Other::start("inside", sizes);
        // Up to its large frame, of which the ring takes the beginning.
        let mut before = Vec::new();
        while before.len() < 100 {
            node.poll(&mut |_, event| match event {
                Event::Frame { body, .. } => before.push(body.len()),
                Event::Closed { why, .. } => panic!("{why}"),
            });
        }
        (&other.stream).write_all(&[1]).unwrap();
        other.wait();
        other.kill_9();
        let (lens, why) = to_the_end(&mut node);
        assert_eq!((before.as_slice(), lens.as_slice()), ([10; 100].as_slice(), [].as_slice()));
        assert!(matches!(why, CloseReason::MidFrame), "{why}");
    }
}

#[test]
fn the_death_of_a_process_is_noticed_by_a_sleeping_writer() {
    let (mut other, mut node) = Other::start("deaf", Sizes::default());
    send(&mut node, CHILD, &vec![1; LARGE]);
    assert!(flush_what_fits(&mut node) > 0, "it does not read");
    thread::scope(|scope| {
        scope.spawn(|| other.kill_9());
        let (lens, why) = to_the_end(&mut node);
        assert!(lens.is_empty());
        assert!(why.is_clean(), "it was not in the middle of a frame: {why}");
    });
    assert!(node.send(CHILD, &header(0), &[]).is_err());
}

#[test]
fn the_death_of_a_process_is_noticed_by_one_that_spins() {
    let (mut other, mut node) = Other::start("between", Sizes::default());
    other.wait();
    other.kill_9();
    let mut end = None;
    while end.is_none() {
        node.poll(&mut |_, event| {
            if let Event::Closed { why, .. } = event {
                end = Some(why);
            }
        });
    }
    assert!(end.unwrap().is_clean());
}

#[test]
#[ignore = "the other process of the tests above, which start it"]
fn the_other_process() {
    let role = std::env::var(ROLE).expect("only the other tests run this one");
    let stream = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    let link = exchange(&stream, CHILD, PARENT, Sizes::default()).unwrap();
    let mut node = Shm::new(CHILD, vec![Some(link), None]).unwrap();
    match role.as_str() {
        "echo" => echo(node),
        "leave" => {
            for len in [0, 1, 2, LARGE] {
                send(&mut node, PARENT, &vec![5; len]);
            }
            let mut waiter = Waiter::new(0, Cores::Shared);
            while node.flush() > 0 {
                step(&mut node, &mut waiter, &mut |_, event| panic!("{event:?}"));
            }
        }
        "between" | "inside" => {
            for _ in 0..100 {
                send(&mut node, PARENT, &[5; 10]);
            }
            if role == "inside" {
                let mut waiter = Waiter::new(0, Cores::Shared);
                while node.flush() > 0 {
                    step(&mut node, &mut waiter, &mut |_, event| panic!("{event:?}"));
                }
                // The parent has read them and does not read on.
                (&stream).read_exact(&mut [0]).unwrap();
                send(&mut node, PARENT, &vec![5; LARGE]);
                assert!(flush_what_fits(&mut node) > 0, "the ring took more than it holds");
            } else {
                assert_eq!(node.flush(), 0);
            }
            (&stream).write_all(&[1]).unwrap();
            await_the_end(&stream);
        }
        "deaf" => await_the_end(&stream),
        role => panic!("there is no role {role}"),
    }
}

/// Returns every frame until the parent leaves.
fn echo(mut node: Shm) {
    let mut waiter = Waiter::new(0, Cores::Shared);
    let mut end = None;
    while end.is_none() {
        step(&mut node, &mut waiter, &mut |out, event| match event {
            Event::Frame { from, header, body } => out.send(from, header, &[IoSlice::new(body)]).unwrap(),
            Event::Closed { why, .. } => end = Some(why),
        });
    }
    assert!(end.unwrap().is_clean());
}

/// Holds everything open until this process is killed, or its parent is.
fn await_the_end(mut stream: &UnixStream) {
    stream.read_to_end(&mut Vec::new()).ok();
}
