//! One thread a stream: reads what a node prints until the node has ended and nothing is left.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Stream, Wanted};
use crate::console::Tail;
use crate::sys;

/// How often a reader looks whether its node has ended while a child of the node holds the pipe.
const TICK: Duration = Duration::from_millis(50);
/// A pipe holds no more than this (`/proc/sys/fs/pipe-max-size`): what comes after the end of the
/// node and beyond is a child's, which may never stop.
const PIPE_BYTES_MAX: usize = 1 << 20;

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
                forward_all(File::from(source), &mut stream, &node_ended);
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

fn forward_all(mut source: File, stream: &mut Stream, node_ended: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    let mut left = PIPE_BYTES_MAX;
    loop {
        // Read before looking: what came before the end is seen in the next look at the latest.
        let last_look = node_ended.load(Ordering::Relaxed);
        match sys::readable(source.as_fd(), TICK) {
            Ok(false) if last_look => return,
            Ok(false) => continue,
            Ok(true) => {}
            Err(_) => return,
        }
        match source.read(&mut buffer) {
            Ok(0) => return,
            Ok(got) => {
                if stream.take(&buffer[..got]) == Wanted::NoMore {
                    return;
                }
                if last_look {
                    left = left.saturating_sub(got);
                }
                if left == 0 {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A terminal whose other side is closed gives an error instead of an end.
            Err(_) => return,
        }
    }
}
