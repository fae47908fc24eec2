//! Nodes that sleep whenever there is nothing to do: a lost wake-up stops these tests for ever.

use std::io::IoSlice;
use std::thread;
use std::time::Duration;

use dstd_addr::NodeId;

use super::super::{LinkEnd, Shm, Sizes};
use crate::wait::{Cores, Idle, Waiter};
use crate::{CloseReason, Event, HEADER_BYTES, Limits, Outbox, Transport, set_body_bytes};

const ZERO: NodeId = NodeId(0);
const ONE: NodeId = NodeId(1);

/// Two nodes of one process.
pub(super) fn two(sizes: Sizes, limits: Limits) -> (Shm, Shm) {
    let (zero, one) = LinkEnd::pair(sizes).unwrap();
    let zero = Shm::with_limits(ZERO, vec![None, Some(zero)], limits).unwrap();
    (zero, Shm::with_limits(ONE, vec![Some(one), None], limits).unwrap())
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

/// Echoes frames until the peer leaves.
fn echo(mut node: Shm) -> Option<CloseReason> {
    let mut waiter = Waiter::new(0, Cores::Shared);
    let mut end = None;
    while end.is_none() {
        step(&mut node, &mut waiter, &mut |out, event| match event {
            Event::Frame { from, header, body } => {
                out.send(from, header, &[IoSlice::new(body)]).unwrap();
            }
            Event::Closed { why, .. } => end = Some(why),
        });
    }
    end
}

/// Keeps `window` frames of `len` bytes under way to a sleeping echo.
fn round_trips(sizes: Sizes, rounds: usize, window: usize, len: usize) {
    let (mut node, peer) = two(sizes, Limits::default());
    let echo = thread::spawn(move || echo(peer));
    let mut waiter = Waiter::new(0, Cores::Shared);
    let mut header = [0; HEADER_BYTES];
    set_body_bytes(&mut header, len as u32);
    let (mut sent, mut back) = (0, 0);
    while back < rounds {
        while sent < rounds && sent - back < window {
            let body = vec![sent as u8; len];
            node.send(ONE, &header, &[IoSlice::new(&body)]).unwrap();
            sent += 1;
        }
        node.flush();
        step(&mut node, &mut waiter, &mut |_, event| {
            let Event::Frame { body, .. } = event else { panic!("{event:?}") };
            assert!(body.iter().all(|&byte| byte == back as u8), "XPORT-1: answer {back}");
            back += 1;
        });
    }
    assert!(waiter.counts().sleeps > 0, "nobody slept");
    drop(node);
    assert!(echo.join().unwrap().unwrap().is_clean());
}

#[test]
fn one_frame_at_a_time_wakes_the_sleeper_each_time() {
    round_trips(Sizes::default(), 10_000, 1, 0);
}

#[test]
fn room_in_a_ring_of_one_slot_wakes_the_writer() {
    round_trips(Sizes { slots: 1, bulk_bytes: 64 }, 2000, 50, 100);
}

#[test]
fn frames_larger_than_the_ring_pass_between_sleepers() {
    round_trips(Sizes { slots: 2, bulk_bytes: 4096 }, 20, 3, 100_000);
    round_trips(Sizes { slots: 4, bulk_bytes: 1 << 20 }, 10, 2, 5 << 20);
}

#[test]
fn a_full_ring_does_not_keep_anybody_awake() {
    let (mut node, mut peer) = two(Sizes { slots: 1, bulk_bytes: 64 }, Limits::default());
    let mut header = [0; HEADER_BYTES];
    set_body_bytes(&mut header, 1000);
    node.send(ONE, &header, &[IoSlice::new(&[7; 1000])]).unwrap();
    assert_eq!(events_of(&node), libc::POLLIN | libc::POLLOUT, "nobody has tried to write");
    assert!(node.flush() > 0);
    assert_eq!(events_of(&node), libc::POLLIN, "there is no room");
    assert_eq!(ready(&node), 0);
    let mut got = 0;
    while node.flush() > 0 {
        got += peer.poll(&mut |_, _| {});
        assert_eq!(ready(&node), 1, "the peer has made room");
    }
    while got == 0 {
        got = peer.poll(&mut |_, _| {});
    }
    node.poll(&mut |_, event| panic!("{event:?}"));
    assert_eq!(events_of(&node), libc::POLLIN);
    assert_eq!(ready(&node), 0);
}

#[test]
fn an_answer_that_was_not_flushed_forbids_sleep() {
    let (mut node, mut peer) = two(Sizes::default(), Limits::default());
    node.send(ONE, &[0; HEADER_BYTES], &[]).unwrap();
    node.flush();
    peer.poll(&mut |out, _| out.send(ZERO, &[0; HEADER_BYTES], &[]).unwrap());
    assert_eq!(events_of(&peer), libc::POLLIN | libc::POLLOUT);
    assert_eq!(peer.flush(), 0);
    assert_eq!(events_of(&peer), libc::POLLIN);
}

#[test]
fn a_frame_that_came_before_the_announcement_forbids_sleep() {
    let (mut node, peer) = two(Sizes::default(), Limits::default());
    node.send(ONE, &[0; HEADER_BYTES], &[]).unwrap();
    node.flush();
    assert_eq!(events_of(&peer), libc::POLLIN | libc::POLLOUT);
}

#[test]
fn a_spinning_peer_is_not_rung() {
    let (mut node, mut peer) = two(Sizes::default(), Limits::default());
    let socket = pollfd(&peer);
    assert_eq!(peer.poll(&mut |_, _| {}), 0, "awake again");
    for _ in 0..10 {
        node.send(ONE, &[0; HEADER_BYTES], &[]).unwrap();
        node.flush();
        assert_eq!(peer.poll(&mut |_, _| {}), 1);
        peer.flush();
    }
    assert_eq!(socket.events, libc::POLLIN);
    assert_eq!(crate::sys::ppoll(&mut [socket], Some(Duration::ZERO)).unwrap(), 0, "it was rung");
}

#[test]
fn a_frame_right_before_the_end_is_not_lost() {
    for _ in 0..500 {
        let (mut node, mut peer) = two(Sizes { slots: 1, bulk_bytes: 64 }, Limits::default());
        let leaver = thread::spawn(move || {
            node.send(ONE, &[0; HEADER_BYTES], &[]).unwrap();
            assert_eq!(node.flush(), 0);
        });
        let (mut frames, mut end) = (0, None);
        while end.is_none() {
            peer.poll(&mut |_, event| match event {
                Event::Frame { .. } => frames += 1,
                Event::Closed { why, .. } => end = Some(why),
            });
            thread::yield_now();
        }
        assert_eq!((frames, end.unwrap().is_clean()), (1, true));
        leaver.join().unwrap();
    }
}

#[test]
fn who_leaves_in_good_order_is_noticed_by_the_next_poll() {
    let (node, mut peer) = two(Sizes::default(), Limits::default());
    drop(node);
    assert_eq!(peer.poll(&mut |_, event| assert!(matches!(event, Event::Closed { .. }))), 1);
}

fn pollfd(node: &Shm) -> libc::pollfd {
    let mut fds = Vec::new();
    node.fds(&mut fds);
    assert_eq!(fds.len(), 1);
    fds[0]
}

fn events_of(node: &Shm) -> libc::c_short {
    pollfd(node).events
}

/// How many descriptors end a sleep at once.
fn ready(node: &Shm) -> usize {
    crate::sys::ppoll(&mut [pollfd(node)], Some(Duration::ZERO)).unwrap()
}
