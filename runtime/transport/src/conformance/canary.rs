//! Transports with one fault each: a suite that passes them tests nothing.

use std::io::IoSlice;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dstd_addr::{NodeId, NodeSet};

use super::*;
use crate::stub::{self, Stub};
use crate::{CloseReason, Event, Header, Limits, Outbox, SendError, Transport};

/// What a canary does wrong.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fault {
    /// Loses the frame sent as the tenth.
    Lose,
    /// Sends the tenth frame twice.
    Double,
    /// Lets the tenth frame overtake the ninth.
    Overtake,
    /// Cuts the last byte off long bodies.
    Cut,
    /// Flushes on every send.
    Hasty,
    /// Never says that a peer is congested.
    Careless,
    /// Reports closed peers a second time.
    Repeat,
    /// Forgets to report closed frames in the number of events.
    Miscount,
    /// Takes bodies of any size.
    Lax,
}

struct Canary {
    stub: Stub,
    fault: Fault,
    sent: u32,
    kept: Option<(NodeId, Header, Vec<u8>)>,
    last_closed: Option<NodeId>,
}

impl Outbox for Canary {
    fn send(&mut self, to: NodeId, header: &Header, body: &[IoSlice<'_>]) -> Result<(), SendError> {
        self.sent += 1;
        match self.fault {
            Fault::Lose if self.sent == 10 => return Ok(()),
            Fault::Double if self.sent == 10 => self.stub.send(to, header, body)?,
            Fault::Overtake if self.sent == 9 => {
                self.kept = Some((to, *header, body.iter().flat_map(|slice| slice.to_vec()).collect()));
                return Ok(());
            }
            Fault::Overtake if self.sent == 10 => {
                self.stub.send(to, header, body)?;
                let (to, header, body) = self.kept.take().unwrap();
                return self.stub.send(to, &header, &[IoSlice::new(&body)]);
            }
            Fault::Lax if to != NodeId(0) => {
                let len: usize = body.iter().map(|slice| slice.len()).sum();
                if len > self.limits().body_bytes_max as usize {
                    return Ok(());
                }
            }
            _ => {}
        }
        let sent = self.stub.send(to, header, body);
        if self.fault == Fault::Hasty {
            self.stub.flush();
        }
        sent
    }

    fn flush(&mut self) -> usize {
        self.stub.flush()
    }

    fn congested(&self, peer: NodeId) -> bool {
        self.fault != Fault::Careless && self.stub.congested(peer)
    }
}

impl Transport for Canary {
    fn poll(&mut self, sink: &mut dyn FnMut(&mut dyn Outbox, Event<'_>)) -> usize {
        let fault = self.fault;
        if let (Fault::Repeat, Some(peer)) = (fault, self.last_closed.take()) {
            sink(&mut self.stub, Event::Closed { peer, why: CloseReason::Clean });
            return 1;
        }
        let closed = &mut self.last_closed;
        let events = self.stub.poll(&mut |out, event| match event {
            Event::Frame { from, header, body } if fault == Fault::Cut && body.len() > 5000 => {
                sink(out, Event::Frame { from, header, body: &body[..body.len() - 1] });
            }
            Event::Closed { peer, why } => {
                *closed = Some(peer);
                sink(out, Event::Closed { peer, why });
            }
            event => sink(out, event),
        });
        if fault == Fault::Miscount { events.min(1) } else { events }
    }

    fn fds(&self, into: &mut Vec<libc::pollfd>) {
        self.stub.fds(into);
    }

    fn peers(&self) -> NodeSet {
        self.stub.peers()
    }

    fn limits(&self) -> Limits {
        self.stub.limits()
    }
}

impl Fabric for Fault {
    type Node = Canary;

    fn mesh(&self, nodes: u16, limits: Limits) -> Vec<Canary> {
        let stubs = stub::mesh(nodes, limits, stub::Options::default());
        let canary = |stub| Canary { stub, fault: *self, sent: 0, kept: None, last_closed: None };
        stubs.into_iter().map(canary).collect()
    }

    fn scale(&self) -> Scale {
        Scale { body_bytes_max: 20_000, bulk_bytes: 100_000, frames: 300 }
    }
}

fn fails(test: impl Fn(&Fault), fault: Fault) {
    let outcome = catch_unwind(AssertUnwindSafe(|| test(&fault)));
    assert!(outcome.is_err(), "nobody noticed the fault {fault:?}");
}

#[test]
fn lost_doubled_and_overtaking_frames_are_noticed() {
    for fault in [Fault::Lose, Fault::Double, Fault::Overtake] {
        fails(frames_of_every_pair_arrive_in_order, fault);
        fails(random_traffic_loses_nothing, fault);
    }
}

#[test]
fn incomplete_bodies_are_noticed() {
    fails(bodies_of_every_size_arrive_whole, Fault::Cut);
}

#[test]
fn writes_before_a_flush_are_noticed() {
    fails(small_frames_wait_for_the_flush, Fault::Hasty);
}

#[test]
fn a_missing_sign_of_congestion_is_noticed() {
    fails(a_peer_that_does_not_read_becomes_congested_and_recovers, Fault::Careless);
}

#[test]
fn a_second_report_of_the_end_is_noticed() {
    fails(a_peer_that_leaves_is_reported_once_after_its_frames, Fault::Repeat);
}

#[test]
fn a_wrong_number_of_events_is_noticed() {
    fails(a_poll_does_a_bounded_amount_of_work, Fault::Miscount);
}

#[test]
fn bodies_beyond_the_limit_are_noticed() {
    fails(misuse_panics, Fault::Lax);
}
