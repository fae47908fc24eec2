//! One thread a stream: reads what a node prints until the node has ended and nothing is left.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::{Stream, Wanted};
use crate::console::Tail;
use crate::remains::read_all;

/// Forwards one stream of one node.
pub(crate) struct Forwarder {
    node_ended: Arc<AtomicBool>,
    tail: Arc<Mutex<Tail>>,
    thread: JoinHandle<()>,
}

impl Forwarder {
    /// Starts to forward what can be read from `source`; calls `done` when it is over.
    pub(crate) fn start(
        source: OwnedFd,
        mut stream: Stream,
        done: impl FnOnce() + Send + 'static,
    ) -> io::Result<Forwarder> {
        let node_ended = Arc::new(AtomicBool::new(false));
        let tail = stream.tail();
        let thread = {
            let node_ended = Arc::clone(&node_ended);
            let work = move || {
                read_all(File::from(source), &node_ended, |bytes| stream.take(bytes) == Wanted::More);
                stream.end();
                done();
            };
            std::thread::Builder::new().name("output".to_owned()).spawn(work)?
        };
        Ok(Forwarder { node_ended, tail, thread })
    }

    /// The node has ended: what it has left is forwarded, then it is over.
    pub(crate) fn node_ended(&self) {
        // Relaxed: what the node wrote is in the pipe since before it was reaped.
        self.node_ended.store(true, Ordering::Relaxed);
    }

    /// Whether everything was forwarded.
    pub(crate) fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    /// The last lines of the stream so far.
    pub(crate) fn last_lines(&self) -> Tail {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
