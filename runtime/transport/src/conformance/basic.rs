//! Order, sizes, slices, and the shape of a poll.

use std::io::IoSlice;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dstd_addr::NodeId;

use super::Fabric;
use super::end::{End, Patience, ends, header_of, run_until, settle};
use crate::{Limits, Outbox, Transport};

/// More frames than this from one peer in one poll are not a bounded amount of work, nor fair.
const FRAMES_PER_PEER_MAX: usize = 1024;

/// Two, three and four nodes, all sending to all, interleaved.
pub fn frames_of_every_pair_arrive_in_order<F: Fabric>(fabric: &F) {
    for nodes in 2..=4 {
        let mut ends = ends(fabric, nodes, Limits::default());
        for number in 0..fabric.scale().frames {
            send_to_all(&mut ends, |to| number as usize % 3 * (to.index() + 5));
            if number % 16 == 0 {
                run_one_round(&mut ends);
            }
        }
        settle(&mut ends);
    }
}

/// So many nodes that a transport may find the talking ones in another way.
pub fn more_peers_than_are_read_in_turn<F: Fabric>(fabric: &F) {
    let mut ends = ends(fabric, 8, Limits::default());
    for number in 0..50 {
        send_to_all(&mut ends, |to| number * to.index());
        run_one_round(&mut ends);
    }
    settle(&mut ends);
}

/// No byte, one, around the alignment, a page, around where copies end, 1 MiB, the limit.
pub fn bodies_of_every_size_arrive_whole<F: Fabric>(fabric: &F) {
    let limits = fabric.scale().limits();
    let mut ends = ends(fabric, 2, limits);
    let limit = limits.body_bytes_max as usize;
    let pages = [4095, 4096, 4097, 16383, 16384, 16385, 65536, 262_144 - 32, 1 << 20, limit - 1, limit];
    let sizes: Vec<usize> = (0..40).chain(pages).filter(|&size| size <= limit).collect();
    for &size in &sizes {
        ends[0].send(NodeId(1), size).unwrap();
        ends[1].send(NodeId(0), size).unwrap();
        settle(&mut ends);
    }
    for &size in &sizes {
        ends[0].send(NodeId(1), size).unwrap();
    }
    settle(&mut ends);
}

/// Many slices, more than a vectored write takes, and empty ones.
pub fn a_body_may_come_in_any_slices<F: Fabric>(fabric: &F) {
    let limits = fabric.scale().limits();
    let mut ends = ends(fabric, 2, limits);
    let large = 20_000.min(limits.body_bytes_max as usize);
    for len in [0, 100, large] {
        for pieces in [1, 2, 3, 10, 60, 61, 62, 64, 100, 2000] {
            let mut cuts: Vec<usize> = (0..pieces).map(|piece| piece * len / pieces).collect();
            cuts.push(len);
            ends[0].send_cut(NodeId(1), len, &cuts).unwrap();
        }
    }
    settle(&mut ends);
}

/// A token goes round three nodes, passed on from inside the sink.
pub fn a_sink_can_answer_at_once<F: Fabric>(fabric: &F) {
    let mut ends = ends(fabric, 3, Limits::default());
    ends[0].send(NodeId(1), 0).unwrap();
    let mut patience = Patience::new();
    while ends[0].got[2] < 100 {
        let mut events = 0;
        for end in &mut ends {
            let next = NodeId((end.me.0 + 1) % 3);
            let (me, mut number) = (end.me, end.sent[next.index()]);
            events += end.poll_with(|out, _, _| {
                out.send(next, &header_of(me, next, number, 0), &[]).unwrap();
                number += 1;
            });
            end.sent[next.index()] = number;
            end.node.flush();
        }
        patience.round(events);
    }
}

/// However much has arrived, one poll hands over a bounded part of it, and none is lost.
pub fn a_poll_does_a_bounded_amount_of_work<F: Fabric>(fabric: &F) {
    let mut ends = ends(fabric, 2, Limits::default());
    for _ in 0..fabric.scale().frames {
        ends[0].send(NodeId(1), 0).unwrap();
    }
    let mut patience = Patience::new();
    while ends[1].got[0] < ends[0].sent[1] {
        ends[0].node.flush();
        let events = ends[1].poll();
        assert!(events <= FRAMES_PER_PEER_MAX, "{events} events in one poll");
        patience.round(events);
    }
}

/// While node 1 sends without end, a frame of node 2 gets through.
pub fn a_busy_peer_does_not_starve_another<F: Fabric>(fabric: &F) {
    for nodes in [3, 7] {
        let mut ends = ends(fabric, nodes, fabric.scale().limits());
        let quiet = usize::from(nodes) - 1;
        for _ in 0..FRAMES_PER_PEER_MAX {
            ends[1].send(NodeId(0), 0).unwrap();
        }
        ends[quiet].send(NodeId(0), 0).unwrap();
        while ends[0].got[quiet] == 0 {
            for _ in 0..FRAMES_PER_PEER_MAX {
                if ends[1].node.congested(NodeId(0)) {
                    break;
                }
                ends[1].send(NodeId(0), 0).unwrap();
            }
            ends[1].node.flush();
            ends[quiet].node.flush();
            ends[0].poll();
            // The quiet frame may take its time on the way, but not this much.
            assert!(ends[0].got[1] < 2_000_000, "a peer was starved");
        }
        settle(&mut ends);
    }
}

/// A frame below the size that is written through leaves with the flush.
pub fn small_frames_wait_for_the_flush<F: Fabric>(fabric: &F) {
    let mut ends = ends(fabric, 2, Limits::default());
    ends[0].send(NodeId(1), 10).unwrap();
    for _ in 0..100 {
        assert_eq!(ends[1].poll(), 0, "a frame left before its flush");
        assert_eq!(ends[0].poll(), 0);
    }
    settle(&mut ends);
    assert_eq!(ends[0].node.flush(), 0);
}

/// Wrong lengths, bodies beyond the limit and frames to oneself are bugs, and said to be.
pub fn misuse_panics<F: Fabric>(fabric: &F) {
    let limits = fabric.scale().limits();
    let mut ends = ends(fabric, 2, limits);
    let node = &mut ends[0].node;
    let body = vec![0; limits.body_bytes_max as usize + 1];
    let mut refused = |to, declared, len: usize| {
        let header = header_of(NodeId(0), to, 0, declared);
        let sent = AssertUnwindSafe(|| node.send(to, &header, &[IoSlice::new(&body[..len])]));
        assert!(catch_unwind(sent).is_err(), "{declared} declared bytes and {len} for node {to} were taken");
    };
    refused(NodeId(1), 1, 0);
    refused(NodeId(1), 9, 10);
    refused(NodeId(1), body.len(), body.len());
    refused(NodeId(0), 1, 1);
    ends[0].send(NodeId(1), 1).unwrap();
    settle(&mut ends);
}

fn send_to_all<N: Transport>(ends: &mut [End<N>], len: impl Fn(NodeId) -> usize) {
    let nodes = ends.len() as u16;
    for end in ends {
        let me = end.me;
        for to in (0..nodes).map(NodeId).filter(|&to| to != me) {
            end.send(to, len(to)).unwrap();
        }
    }
}

fn run_one_round<N: Transport>(ends: &mut [End<N>]) {
    let mut rounds = 0;
    run_until(ends, |_| {
        rounds += 1;
        rounds > 1
    });
}
