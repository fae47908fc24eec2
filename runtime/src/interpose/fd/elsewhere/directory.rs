//! Streams of directories that another node has opened.
//!
//! A stream is the program's memory, so any node can look into it; but libc's functions on it use its descriptor, and lock it by a word
//! that the kernel knows on one node. So the owner calls them, one after the other, and what they return is an
//! address in the stream.
//!
//! ```text
//! call    0        2          4     8         16       24      answer  0        8       12
//!         | 0xffff | function | 0   | stream  | place  |               | result | errno |
//! ```
//! *Why not safe code*: C streams. The service thread touches user memory here, as its kernel does in other calls: it
//! holds no lock of the runtime (ISO-2).

use dstd_addr::NodeId;
use libc::{DIR, c_int, c_long};

use super::caller::{ask, one_owner};
use super::private::is_private;
use super::wire::{encode_answer, u16_at, u32_at, u64_at};
use crate::alloc;
use crate::context;
use crate::fatal::{self, stop};
use crate::interpose::fd::calls::fail;
use crate::interpose::fd::foreign::{is_own, report_refused};
use crate::stack::on_native;

/// Where other calls have their number.
const MARK: u16 = u16::MAX;

/// A function on a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(in crate::interpose::fd) enum Step {
    /// `readdir`; the result is an entry or null.
    Next = 0,
    /// `rewinddir`.
    Rewind = 1,
    /// `seekdir`.
    Seek = 2,
}

/// Calls `function` at the owner of the stream's descriptor `fd`; returns what it returns, with its `errno` if that is not 0.
///
/// # Safety
/// - `dir` is an open stream, and `place` one of its places.
#[cold]
pub(in crate::interpose::fd) unsafe fn call_directory(
    name: &'static str,
    function: Step,
    dir: *mut DIR,
    fd: c_int,
    place: c_long,
) -> usize {
    let refused = alloc::in_runtime();
    let (Ok(owner), Some(context), false) = (one_owner([fd]), context::cluster(), refused) else {
        report_refused(fd, name);
        fail(libc::EBADF);
        return 0;
    };
    let (result, errno) = on_native(|| {
        let body = encode(function, dir.expose_provenance() as u64, place);
        let shipped = ask(context, owner, body);
        let answer = shipped.result.get().and_then(|body| Some((u64_at(body, 0)?, u32_at(body, 8)?)));
        answer.unwrap_or_else(|| stop!(fatal::INTERNAL, "node {owner} sent a malformed answer to {name}"))
    });
    if errno != 0 {
        fail(errno as c_int);
    }
    result as usize
}

fn encode(function: Step, dir: u64, place: c_long) -> Vec<u8> {
    let mut body = MARK.to_le_bytes().to_vec();
    body.extend((function as u16).to_le_bytes());
    body.extend([0; 4]);
    body.extend(dir.to_le_bytes());
    body.extend(place.to_le_bytes());
    body
}

/// Whether `body` is such a call, or is meant to be one.
pub(super) fn is_directory(body: &[u8]) -> bool {
    u16_at(body, 0) == Some(MARK)
}

fn decode(body: &[u8]) -> Option<(Step, u64, c_long)> {
    let function = match u16_at(body, 2)? {
        0 => Step::Next,
        1 => Step::Rewind,
        2 => Step::Seek,
        _ => return None,
    };
    let whole = body.len() == 24 && u32_at(body, 4)? == 0;
    Some((function, u64_at(body, 8)?, u64_at(body, 16)? as c_long)).filter(|_| whole)
}

/// Owner: makes the call; returns the body of the answer.
pub(super) fn serve(from: NodeId, body: &[u8], is_global: impl Fn(u64, u32) -> bool) -> Vec<u8> {
    let Some((function, dir, place)) = decode(body).filter(|&(_, dir, _)| is_global(dir, 64)) else {
        stop!(fatal::INTERNAL, "node {from} sent a malformed call on a directory")
    };
    let dir = core::ptr::with_exposed_provenance_mut::<DIR>(dir as usize);
    // SAFETY: global memory; the caller there says that it is a stream, for which it waits.
    let fd = unsafe { libc::dirfd(dir) };
    if !is_own(fd) || is_private(fd) {
        return encode_answer(0, libc::EBADF as u32, &[]);
    }
    // SAFETY: the address of this thread's errno.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: valid while the thread lives.
    unsafe { errno.write(0) };
    let entry = match function {
        // SAFETY: as above; its descriptor is this node's.
        Step::Next => unsafe { libc::readdir64(dir) }.expose_provenance(),
        Step::Rewind => {
            // SAFETY: as above.
            unsafe { libc::rewinddir(dir) };
            0
        }
        Step::Seek => {
            // SAFETY: as above; the caller vouches for the place.
            unsafe { libc::seekdir(dir, place) };
            0
        }
    };
    // SAFETY: as above.
    let errno = unsafe { errno.read() };
    encode_answer(entry as i64, errno as u32, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_comes_back_as_it_was_sent_and_nothing_else_does() {
        for function in [Step::Next, Step::Rewind, Step::Seek] {
            let body = encode(function, 0x1000_0000_0040, -7);
            assert!(is_directory(&body));
            assert_eq!(decode(&body), Some((function, 0x1000_0000_0040, -7)));
            for len in 0..body.len() {
                assert_eq!(decode(&body[..len]), None, "{len} bytes were taken for a call");
            }
            assert_eq!(decode(&[&body[..], &[0]].concat()), None);
        }
        let mut unknown = encode(Step::Seek, 1, 1);
        unknown[2] = 3;
        assert_eq!(decode(&unknown), None);
    }
}
