//! What a node writes, on its way to somebody else.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::frames::PIECE_BYTES;
use crate::remains::{TICK, left_in, read_all};
use crate::sys;

/// A thread that reads one stream of one node.
pub(super) struct Relay {
    node_ended: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Relay {
    /// Passes on what the ended node has left.
    pub(super) fn finish(self) {
        // Relaxed: what the node wrote is in the pipe since before it was reaped.
        self.node_ended.store(true, Ordering::Relaxed);
        self.thread.join().expect("a relay does not panic");
    }
}

/// Gives all that can be read from `source` to `say`, until the end or until `say` wants no more: then who writes
/// next is told so.
pub(super) fn start_relay(source: File, say: impl Fn(Vec<u8>) -> bool + Send + 'static) -> io::Result<Relay> {
    let node_ended = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&node_ended);
    let work = move || read_all(source, &ended, |bytes| say(bytes.to_vec()));
    Ok(Relay { node_ended, thread: thread::Builder::new().name("relay".to_owned()).spawn(work)? })
}

/// What all nodes of a host write to one pipe, so that their order stays.
#[derive(Clone)]
pub(super) struct Outlet(Arc<Shared>);

struct Shared {
    /// `None`: nobody reads any more.
    source: Mutex<Option<File>>,
    say: Box<dyn Fn(Vec<u8>) + Send + Sync>,
}

impl Outlet {
    /// Starts to give what can be read from `source` to `say`.
    pub(super) fn start(source: File, say: impl Fn(Vec<u8>) + Send + Sync + 'static) -> io::Result<Outlet> {
        let watched = source.try_clone()?;
        let outlet = Outlet(Arc::new(Shared { source: Mutex::new(Some(source)), say: Box::new(say) }));
        let pumped = outlet.clone();
        thread::Builder::new().name("stdout".to_owned()).spawn(move || {
            // The descriptor that is waited for is another one: whoever holds the lock does not wait.
            while let Ok(readable) = sys::readable(watched.as_fd(), TICK) {
                if (readable && !pumped.pump(|_| 1)) || pumped.is_closed() {
                    return;
                }
            }
        })?;
        Ok(outlet)
    }

    /// Passes on what is there now: all that a node wrote which has ended.
    pub(super) fn drain(&self) {
        self.pump(left_in);
    }

    /// Nobody wants it any more: who writes next is told so.
    pub(super) fn close(&self) {
        *self.0.source.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn is_closed(&self) -> bool {
        self.0.source.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// At least as many bytes as `wanted` of the stream, if they are there; false at the end of the stream.
    fn pump(&self, wanted: impl FnOnce(&File) -> usize) -> bool {
        let mut guard = self.0.source.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(source) = &mut *guard else { return false };
        let mut left = wanted(source);
        let mut buffer = vec![0; PIECE_BYTES];
        while left > 0 {
            if !matches!(sys::readable(source.as_fd(), Duration::ZERO), Ok(true)) {
                return true;
            }
            match source.read(&mut buffer) {
                Ok(0) => return false,
                // Said under the lock, so that nobody overtakes.
                Ok(got) => {
                    (self.0.say)(buffer[..got].to_vec());
                    left = left.saturating_sub(got);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }
}
