//! The first allocation: maps the ranges and gives the two heaps their memory.
//!
//! *Invariants*: HEAP-1, HEAP-2. Nothing here allocates.
//!
//! *Layout*: of the private slice's metadata half, three quarters describe the partition and one
//! quarter the private heap.
//!
//! *Who may touch what, when*: everything is written once, under the guard of `RESERVATION`.
//!
//! *Why not safe code*: it hands mapped ranges to the heaps.

use core::fmt::{self, Write};
use core::ptr::NonNull;
use std::sync::OnceLock;

use dstd_addr::{HEAP_BYTES_MAX, NODES_MAX, NodeId};
use dstd_heap::{Heap, InitError, MapError, Reservation, Waiting};

use super::environ;

/// The heap of user memory: blocks lie in this node's partition.
pub(super) static PARTITION: Heap = Heap::new();
/// The heap of the runtime's own memory.
pub(super) static PRIVATE: Heap = Heap::new();

static RESERVATION: OnceLock<Reservation> = OnceLock::new();

/// The exit code of a program that cannot run on this host so.
const CANNOT_RUN_HERE: i32 = 72;

/// Why the memory of this node could not be set up.
enum BootError {
    Environment(&'static str),
    Map(MapError),
    Init(InitError),
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BootError::Environment(name) => write!(
                f,
                "the environment variable {name} is missing or no sensible number; start the program with dstd-launch or unset DSTD_SIZE"
            ),
            BootError::Map(error) => error.fmt(f),
            BootError::Init(error) => error.fmt(f),
        }
    }
}

/// The mapped ranges of this node; maps them at the first call.
///
/// A program whose ranges cannot be mapped ends here, with one line on stderr and code 72.
pub(crate) fn reservation() -> &'static Reservation {
    RESERVATION.get_or_init(|| match boot() {
        Ok(reservation) => reservation,
        Err(error) => stop(&error),
    })
}

/// As [`reservation`], but `None` while libc has no environment yet.
pub(super) fn reservation_if_known() -> Option<&'static Reservation> {
    match RESERVATION.get() {
        None if !environ::is_known() => None,
        _ => Some(reservation()),
    }
}

/// Ends the program with code 72 and one line on stderr; allocates nothing.
pub(super) fn stop(why: &dyn fmt::Display) -> ! {
    say(why);
    // SAFETY: ends the process; runs no destructors, which could allocate.
    unsafe { libc::_exit(CANNOT_RUN_HERE) }
}

/// Aborts the program as libc does when its heap is misused, with one line on stderr.
#[cfg(feature = "global-alloc")]
pub(super) fn abort(why: &str) -> ! {
    say(&why);
    std::process::abort()
}

fn say(why: &dyn fmt::Display) {
    let mut line = Line { bytes: [0; 512], len: 0 };
    if writeln!(line, "dstd: {why}").is_err() {
        line.bytes[line.len - 1] = b'\n';
    }
    // SAFETY: the bytes are readable for their length.
    let written = unsafe { libc::write(libc::STDERR_FILENO, line.bytes.as_ptr().cast(), line.len) };
    // Without a stderr the code alone has to tell.
    debug_assert!(written != 0);
}

fn boot() -> Result<Reservation, BootError> {
    let reservation = map().map_err(BootError::Map)?;
    let meta = reservation.meta();
    let (first, second) = split(meta, meta.len() / 4 * 3);
    // SAFETY: both ranges were just mapped for this purpose, hold zeroes, stay mapped for the rest of the
    // process, and the reservation hands them to nobody else.
    unsafe { PARTITION.init(reservation.heap(), first, Waiting::Allowed) }.map_err(BootError::Init)?;
    PARTITION.on_freed(super::idle::freed);
    // The engine allocates here, so nobody may make it wait.
    // SAFETY: as above.
    unsafe { PRIVATE.init(reservation.private_heap(), second, Waiting::Never) }.map_err(BootError::Init)?;
    Ok(reservation)
}

fn map() -> Result<Reservation, MapError> {
    let nodes = required("DSTD_SIZE", Some(1));
    let asked = environ::value("DSTD_HEAP_BYTES").is_some();
    let heap_bytes = required("DSTD_HEAP_BYTES", Some(HEAP_BYTES_MAX));
    if nodes == 1 {
        return if asked { Reservation::single(heap_bytes) } else { Reservation::single_at_most(heap_bytes) };
    }
    let rank = required("DSTD_RANK", None);
    let narrow = |number: u64| u16::try_from(number).unwrap_or(NODES_MAX.saturating_add(1));
    Reservation::cluster(NodeId(narrow(rank)), narrow(nodes), heap_bytes)
}

fn required(name: &'static str, default: Option<u64>) -> u64 {
    match (environ::number(name), default) {
        (Some(Some(number)), _) => number,
        (None, Some(default)) => default,
        (Some(None), _) | (None, None) => stop(&BootError::Environment(name)),
    }
}

fn split(range: NonNull<[u8]>, at: usize) -> (NonNull<[u8]>, NonNull<[u8]>) {
    let at = at & !0xffff;
    let first = range.cast::<u8>();
    // SAFETY: `at` is below the range's length.
    let second = unsafe { first.add(at) };
    (NonNull::slice_from_raw_parts(first, at), NonNull::slice_from_raw_parts(second, range.len() - at))
}

/// A line of text on the stack; what does not fit is cut.
struct Line {
    bytes: [u8; 512],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.len() - self.len;
        let take = text.len().min(room);
        self.bytes[self.len..self.len + take].copy_from_slice(&text.as_bytes()[..take]);
        self.len += take;
        if take < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}
