//! The rounds of the engine thread: look at everything, send what there is to send, and sleep when nothing was found.
//!
//! | a round | while so much waits to be sent that nothing new is begun |
//! |---|---|
//! | takes what other nodes have sent | the same: answers that are owed must go out |
//! | begins what threads of this node want: requests and faults | not |
//! | does what is due, and flushes | the same |
//! | sleeps, when nothing was found, until there is something of these | not for what it would not begin |
//!
//! The last line asks again, after the flush. Nobody answers to some messages (evictions), so a sleep that leaves out
//! faults though all was sent may never end.

use dstd_transport::Transport;
use dstd_transport::wait::{Idle, Waiter};

/// What rounds look at.
pub(super) trait Sources {
    /// Takes what has arrived from other nodes; the number of events.
    fn arrived(&mut self, transport: &mut dyn Transport) -> usize;

    /// Whether so much waits to be sent that nothing new is begun.
    fn is_congested(&self, transport: &dyn Transport) -> bool;

    /// Begins what threads of this node want; how much that was.
    fn begin(&mut self, transport: &mut dyn Transport) -> usize;

    /// Does what is due by itself; how much that was.
    fn due(&mut self, transport: &mut dyn Transport) -> usize;

    /// All was flushed but `queued` bytes.
    fn flushed(&mut self, queued: usize);

    /// Sleeps until something arrives, bytes that wait can be sent, or something is due; with `begins` also until there is
    /// something to begin.
    fn sleep(&mut self, transport: &dyn Transport, waiter: &mut Waiter, begins: bool);
}

/// One round.
pub(super) fn round<S: Sources>(sources: &mut S, transport: &mut dyn Transport, waiter: &mut Waiter) {
    let mut found = sources.arrived(transport);
    if !sources.is_congested(transport) {
        found += sources.begin(transport);
    }
    found += sources.due(transport);
    let queued = transport.flush();
    sources.flushed(queued);
    if found > 0 {
        waiter.active();
        return;
    }
    if waiter.idle() == Idle::PollAgain {
        return;
    }
    // As it is now: the flush of this very round may have sent what was in the way.
    let begins = !sources.is_congested(transport);
    sources.sleep(transport, waiter, begins);
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use dstd_addr::NodeId;
    use dstd_transport::stub::{self, Options};
    use dstd_transport::wait::Cores;
    use dstd_transport::{Event, HEADER_BYTES, Limits, Outbox, set_body_bytes};

    use super::*;

    const PEER: NodeId = NodeId(1);
    const BODY: &[u8] = &[7; 96];

    /// A node with one page fault that waits to be begun.
    #[derive(Default)]
    struct OneFault {
        begun: bool,
        /// Each sleep: whether the fault would have ended it.
        sleeps: Vec<bool>,
    }

    impl Sources for OneFault {
        fn arrived(&mut self, transport: &mut dyn Transport) -> usize {
            transport.poll(&mut |_, _| {})
        }

        fn is_congested(&self, transport: &dyn Transport) -> bool {
            transport.congested(PEER)
        }

        fn begin(&mut self, _: &mut dyn Transport) -> usize {
            usize::from(!std::mem::replace(&mut self.begun, true))
        }

        fn due(&mut self, _: &mut dyn Transport) -> usize {
            0
        }

        fn flushed(&mut self, _: usize) {}

        fn sleep(&mut self, _: &dyn Transport, _: &mut Waiter, begins: bool) {
            self.sleeps.push(begins);
        }
    }

    /// A transport with so much to send that it is congested; `room`: as much as the next flush sends. And its peer.
    fn congested(room: usize) -> (impl Transport, impl Transport) {
        let limits = Limits { queue_bytes_soft: 2 * BODY.len(), ..Limits::default() };
        let mut mesh = stub::mesh(2, limits, Options { pipe_bytes: room, ..Options::default() });
        let (peer, mut transport) = (mesh.pop().unwrap(), mesh.pop().unwrap());
        let mut header = [0; HEADER_BYTES];
        set_body_bytes(&mut header, BODY.len() as u32);
        while !transport.congested(PEER) {
            transport.send(PEER, &header, &[IoSlice::new(BODY)]).unwrap();
        }
        (transport, peer)
    }

    /// Never spins.
    fn waiter() -> Waiter {
        Waiter::new(0, Cores::Shared)
    }

    /// Nobody answers to what was sent: only the fault can end the sleep.
    #[test]
    fn a_round_that_has_sent_what_was_in_the_way_sleeps_for_faults_too() {
        let (mut transport, _peer) = congested(1 << 20);
        let (mut node, mut waiter) = (OneFault::default(), waiter());
        round(&mut node, &mut transport, &mut waiter);
        assert!(!node.begun, "nothing is begun while it is congested");
        assert_eq!(node.sleeps, [true]);
        round(&mut node, &mut transport, &mut waiter);
        assert!(node.begun);
    }

    #[test]
    fn a_node_that_cannot_send_sleeps_until_it_can() {
        let (mut transport, mut peer) = congested(8);
        let (mut node, mut waiter) = (OneFault::default(), waiter());
        round(&mut node, &mut transport, &mut waiter);
        assert_eq!((node.begun, &node.sleeps[..]), (false, &[false][..]));
        // The peer reads; each round sends what there is room for.
        let mut rounds = 0;
        while !node.begun {
            peer.poll(&mut |_, event| assert!(matches!(event, Event::Frame { body: BODY, .. })));
            round(&mut node, &mut transport, &mut waiter);
            rounds += 1;
            assert!(rounds < 1000, "{:?}", node.sleeps);
        }
        // Whatever is begun was asked for by the last sleep.
        assert_eq!(node.sleeps.last(), Some(&true));
        assert_eq!(node.sleeps.iter().filter(|&&begins| begins).count(), 1);
    }

    #[test]
    fn a_round_that_finds_something_does_not_sleep() {
        let (mut transport, mut peer) = congested(1 << 20);
        let (mut node, mut waiter) = (OneFault::default(), waiter());
        transport.flush();
        let mut header = [0; HEADER_BYTES];
        set_body_bytes(&mut header, 0);
        peer.send(NodeId(0), &header, &[]).unwrap();
        peer.flush();
        node.begun = true;
        round(&mut node, &mut transport, &mut waiter);
        assert_eq!(node.sleeps, []);
    }
}
