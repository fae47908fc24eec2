//! Reads what a node writes, until the node has ended and nothing of it is left.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::sys;

/// How often a reader looks whether its node has ended while a child of the node holds the pipe.
pub(crate) const TICK: Duration = Duration::from_millis(50);
/// The kernel hands on later what was written to a terminal, but holds no more than this.
const TERMINAL_BYTES_MAX: usize = 1 << 20;

/// Gives all that can be read from `source` to `take`, until its end or until `take` wants no more: then who
/// writes next is told so. Once `node_ended`, only what is there is read: a child of the node may write for ever.
pub(crate) fn read_all(mut source: File, node_ended: &AtomicBool, mut take: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    let mut left = None;
    loop {
        // Relaxed: what the node wrote is in the pipe since before it was reaped.
        if left.is_none() && node_ended.load(Ordering::Relaxed) {
            left = Some(left_in(&source));
        }
        let most = left.map_or(buffer.len(), |left| buffer.len().min(left));
        if most == 0 {
            return;
        }
        match sys::readable(source.as_fd(), TICK) {
            Ok(false) if left.is_some() => return,
            Ok(false) => continue,
            Ok(true) => {}
            Err(_) => return,
        }
        match source.read(&mut buffer[..most]) {
            Ok(0) => return,
            Ok(got) => {
                if !take(&buffer[..got]) {
                    return;
                }
                if let Some(left) = &mut left {
                    *left -= got;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A terminal whose other side is closed gives an error instead of an end.
            Err(_) => return,
        }
    }
}

/// The most bytes that a node can have left in `source`.
pub(crate) fn left_in(source: &File) -> usize {
    if source.is_terminal() { TERMINAL_BYTES_MAX } else { sys::held(source.as_fd()).unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn what_a_child_adds_after_the_end_of_the_node_is_not_waited_for() {
        let (source, mut end) = io::pipe().unwrap();
        end.write_all(b"node").unwrap();
        let mut found = Vec::new();
        // The child never stops: it writes as often as somebody reads.
        read_all(File::from(OwnedFd::from(source)), &AtomicBool::new(true), |bytes| {
            found.extend_from_slice(bytes);
            assert!(found.len() <= 4, "it would never end");
            end.write_all(b"child").unwrap();
            true
        });
        assert_eq!(found, b"node");
    }

    #[test]
    fn all_that_was_left_comes_in_however_many_parts() {
        let (source, mut end) = io::pipe().unwrap();
        // As much as a pipe holds, which is no piece of the buffer's size.
        let text: Vec<u8> = (0..65_536).map(|at| (at % 251) as u8).collect();
        end.write_all(&text).unwrap();
        let mut found = Vec::new();
        read_all(File::from(OwnedFd::from(source)), &AtomicBool::new(true), |bytes| {
            found.extend_from_slice(bytes);
            true
        });
        assert!(found == text);
    }
}
