//! After the last node has ended: what the nodes printed is forwarded to its end, however slow the
//! reader of the launcher's stdout is; a signal gives it up. Where the program was told to end, readers have as long as
//! it had.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use dstd_control::exit;

use super::{Event, Job, Node};
use crate::output::Forwarder;
use crate::sys::{self, Arrived};
use crate::verdict::{Cause, Origin, Verdict};

/// How often to look whether a thread that is done has ended.
const TICK: Duration = Duration::from_millis(20);

impl Job<'_> {
    /// Waits until everything was forwarded; the verdict says so when it was not.
    pub(super) fn drain(&mut self, inbox: &Receiver<Event>, verdict: Verdict) -> Verdict {
        // Nodes that cannot be killed have not ended, but nobody waits for them any more.
        let forwarders = |node: &Node| node.forwarders.iter().for_each(Forwarder::node_ended);
        self.nodes.iter().for_each(forwarders);
        let given_up = self.wait_for_readers(inbox);
        for node in &mut self.nodes {
            // stderr's comes first.
            node.tail = node.forwarders.first().map(Forwarder::last_lines).unwrap_or_default();
        }
        if let Some(signal) = given_up
            && verdict.code == 0
        {
            return crate::verdict::judge(&[], Some(&Cause::Signal(signal)), true);
        }
        match self.output.lost() {
            Some(lost) if verdict.code == 0 => {
                Verdict { origin: Origin::Launcher, node: None, code: exit::INTERNAL, reason: lost }
            }
            Some(lost) => {
                self.console.say(lost);
                verdict
            }
            None => verdict,
        }
    }

    /// The signal that ended the wait, if one did.
    fn wait_for_readers(&self, inbox: &Receiver<Event>) -> Option<i32> {
        let (told, mut until) = match self.cause {
            Some(Cause::Signal(signal)) => (Some(signal), Some(Instant::now() + self.launch.grace)),
            Some(Cause::Timeout(_)) => (None, Some(Instant::now() + self.launch.grace)),
            _ => (None, None),
        };
        while !self.nodes.iter().flat_map(|node| &node.forwarders).all(Forwarder::is_done) {
            match inbox.recv_timeout(TICK) {
                Ok(Event::Signal(arrived)) if sys::stops_and_continues(arrived.signal) => {
                    let stopped = self.suspend(arrived);
                    until = until.map(|until| until + stopped);
                }
                Ok(Event::Signal(Arrived { signal, .. }))
                    if !matches!(signal, libc::SIGUSR1 | libc::SIGUSR2) =>
                {
                    return Some(signal);
                }
                Ok(_) | Err(RecvTimeoutError::Timeout)
                    if until.is_some_and(|until| Instant::now() > until) =>
                {
                    return told;
                }
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        None
    }
}
