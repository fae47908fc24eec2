//! A peer that writes whatever it likes into the shared memory.

use std::io::{ErrorKind, IoSlice};
use std::sync::atomic::Ordering;

use dstd_addr::NodeId;

use super::super::layout::{INLINE_BYTES, LINE_BYTES, Layout};
use super::super::link::Link;
use super::super::sender::{BULK, Sender};
use super::super::{LinkEnd, Shm, Sizes};
use crate::stub::split_mix;
use crate::{CloseReason, Event, HEADER_BYTES, Limits, Outbox, SendError, Transport, set_body_bytes};

const PEER: NodeId = NodeId(1);

/// Node 0, and the other end of its link, to be played by hand.
fn victim(sizes: Sizes, limits: Limits) -> (Shm, Link) {
    let (zero, one) = LinkEnd::pair(sizes).unwrap();
    (Shm::with_limits(NodeId(0), vec![None, Some(zero)], limits).unwrap(), one.into_link().unwrap())
}

/// Polls until the peer is closed; returns the number of frames that came before, and why.
fn poll_to_end(node: &mut Shm, mut between: impl FnMut()) -> (usize, CloseReason) {
    let (mut frames, mut end) = (0, None);
    for _ in 0..100_000 {
        node.poll(&mut |_, event| match event {
            Event::Frame { .. } => frames += 1,
            Event::Closed { why, .. } => end = Some(why),
        });
        if let Some(why) = end {
            assert_eq!(node.send(PEER, &[0; HEADER_BYTES], &[]), Err(SendError::Lost(PEER)));
            return (frames, why);
        }
        between();
    }
    panic!("the peer was never closed");
}

fn assert_refused(why: &CloseReason) {
    let CloseReason::Io(error) = why else { panic!("{why:?}") };
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{why}");
}

#[test]
fn impossible_lengths_close_the_link_after_what_came_before() {
    let piece = Layout::new(Sizes::default()).unwrap().piece_bytes_max() as u32;
    for len in [0, INLINE_BYTES as u32 + 1, BULK - 1, BULK, BULK | (piece + 1), u32::MAX] {
        let (mut node, peer) = victim(Sizes::default(), Limits::default());
        let mut sender = Sender::new(peer.layout.slots());
        sender.write(&peer, &[IoSlice::new(&[0; HEADER_BYTES])]).unwrap();
        let word = u64::from(len) << 32 | u64::from(Link::mark(1));
        peer.slot_out(1)[0].store(word, Ordering::Release);
        let (frames, why) = poll_to_end(&mut node, || {});
        assert_eq!(frames, 1);
        assert_refused(&why);
    }
}

#[test]
fn a_length_that_shrinks_while_the_piece_is_read_closes_the_link() {
    let sizes = Sizes::default();
    let (one, two) = LinkEnd::pair(sizes).unwrap();
    let (reader, writer) = (one.into_link().unwrap(), two.into_link().unwrap());
    let mut sender = Sender::new(writer.layout.slots());
    sender.write(&writer, &[IoSlice::new(&[3; 1000])]).unwrap();
    let mut receiver = super::super::receiver::Receiver::new();
    let mut into = [0; 600];
    assert_eq!(receiver.read(&reader, &mut into).unwrap(), 600);
    writer.slot_out(0)[0].store(u64::from(BULK | 599) << 32 | 1, Ordering::Release);
    assert_eq!(receiver.read(&reader, &mut into).unwrap_err().kind(), ErrorKind::InvalidData);
}

#[test]
fn a_false_count_of_slots_taken_closes_the_link() {
    // Ahead of what was sent, far ahead, and back to what was taken before.
    for (first, second) in [(0, 9), (0, u64::MAX), (3, 2), (3, 0)] {
        let (mut node, peer) = victim(Sizes { slots: 8, bulk_bytes: 64 }, Limits::default());
        let taken = &peer.region.line(Layout::taken(peer.side))[0];
        let mut header = [0; HEADER_BYTES];
        set_body_bytes(&mut header, 200);
        let send = |node: &mut Shm| {
            let sent = node.send(PEER, &header, &[IoSlice::new(&[1; 200])]);
            node.flush();
            sent
        };
        while send(&mut node).is_ok() && node.flush() == 0 {}
        taken.store(first, Ordering::Release);
        node.flush();
        taken.store(second, Ordering::Release);
        while send(&mut node).is_ok() {}
        let (frames, why) = poll_to_end(&mut node, || {});
        assert_eq!(frames, 0);
        assert_refused(&why);
    }
}

#[test]
fn a_peer_that_was_given_up_cannot_go_on_for_ever() {
    let limits = Limits { body_bytes_max: 100, queue_bytes_soft: 1000, queue_bytes_max: 2000 };
    let (mut node, peer) = victim(Sizes { slots: 4, bulk_bytes: 64 }, limits);
    while node.send(PEER, &[0; HEADER_BYTES], &[]).is_ok() {
        node.flush();
    }
    let mut sender = Sender::new(peer.layout.slots());
    let mut write = || while sender.write(&peer, &[IoSlice::new(&[0; HEADER_BYTES])]).unwrap() > 0 {};
    write();
    let (_, why) = poll_to_end(&mut node, write);
    assert!(matches!(why, CloseReason::Overflow { .. }), "{why}");
}

/// The seeds that are tried when none is asked for.
const SEEDS: std::ops::Range<u64> = 0..200;

/// Asks for one seed only.
const SEED_VARIABLE: &str = "DSTD_TRANSPORT_SEED";

#[test]
fn random_words_anywhere_do_no_harm() {
    let asked = std::env::var(SEED_VARIABLE).ok().map(|seed| seed.parse().expect("a seed is a number"));
    let mut closed = 0;
    for seed in asked.map_or(SEEDS, |seed| seed..seed + 1) {
        println!("seed {seed}; replay: {SEED_VARIABLE}={seed} cargo test -p dstd-transport random_words");
        closed += usize::from(vandalise(seed));
    }
    assert!(asked.is_some() || closed > 0, "nothing that was written was ever noticed");
}

/// Writes words that are almost right, or wild, all over the memory, while node 0 works; returns
/// whether it closed the link.
fn vandalise(seed: u64) -> bool {
    let limits = Limits { body_bytes_max: 5000, queue_bytes_soft: 1000, queue_bytes_max: 10_000 };
    let (mut node, peer) = victim(Sizes { slots: 4, bulk_bytes: 256 }, limits);
    let mut state = seed;
    let lines = peer.layout.bytes() / LINE_BYTES;
    let mut published = 0;
    let mut closed = false;
    for _ in 0..2000 {
        let random = split_mix(&mut state);
        let choice = random >> 8;
        match random % 8 {
            0 => {
                let line = peer.region.line(choice as usize % lines * LINE_BYTES);
                line[random as usize >> 4 & 7].store(split_mix(&mut state), Ordering::Relaxed);
            }
            1 => peer.region.line(Layout::taken(peer.side))[0].store(choice % 40, Ordering::Relaxed),
            2 => peer.door().announce(choice % 4),
            // The next slot, with a length that may be possible.
            3..6 => {
                let bulk = if choice >> 32 & 1 == 0 { BULK } else { 0 };
                let len = (choice as u32 % 300) | bulk;
                let word = u64::from(len) << 32 | u64::from(Link::mark(published));
                peer.slot_out(published)[0].store(word, Ordering::Release);
                published += 1;
            }
            6 => {
                node.send(PEER, &[0; HEADER_BYTES], &[]).ok();
                node.flush();
            }
            _ => {
                let mut fds = Vec::new();
                node.fds(&mut fds);
            }
        }
        node.poll(&mut |_, event| match event {
            Event::Frame { header, body, .. } => {
                assert_eq!(crate::body_bytes(header) as usize, body.len());
                assert!(body.len() <= 5000);
            }
            Event::Closed { .. } => closed = true,
        });
    }
    closed
}
