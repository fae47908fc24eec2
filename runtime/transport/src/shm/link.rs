//! What two nodes share, seen from one of them.

use crate::primitive::{AtomicBool, AtomicU64, Ordering};
use std::io;

use super::bell::Bell;
use super::door::{Door, FRAMES, ROOM};
use super::layout::{Layout, Side};
use super::region::{Line, Region};

/// The error for what a peer must not do.
pub(super) fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("shared memory link: {what}"))
}

/// A link in use.
///
/// The last three fields are private notes of the one thread that owns this end: its wire takes
/// them, and [`arm`](Link::arm) reads them. They are atomics because an `Arc` holds them.
pub(super) struct Link {
    pub(super) region: Region,
    pub(super) layout: Layout,
    pub(super) side: Side,
    pub(super) bell: Bell,
    /// The peer has gone, or was given up.
    over: AtomicBool,
    /// The position that is read next.
    next: AtomicU64,
    /// The count of slots taken when a write found no room, or `NOT_STUCK`.
    stuck_at: AtomicU64,
}

/// No write has to be repeated.
const NOT_STUCK: u64 = u64::MAX;

impl Link {
    pub(super) fn new(side: Side, layout: Layout, region: Region, bell: Bell) -> Link {
        Link {
            region,
            layout,
            side,
            bell,
            over: AtomicBool::new(false),
            next: AtomicU64::new(0),
            stuck_at: AtomicU64::new(NOT_STUCK),
        }
    }

    /// This side's door.
    pub(super) fn door(&self) -> Door<'_> {
        Door(&self.region.line(Layout::door(self.side))[0])
    }

    /// The peer's door.
    pub(super) fn peer_door(&self) -> Door<'_> {
        Door(&self.region.line(Layout::door(self.side.other()))[0])
    }

    /// A slot that the peer writes.
    pub(super) fn slot_in(&self, position: u64) -> &Line {
        self.region.line(self.layout.slot(self.side.other(), position))
    }

    /// A slot that this side writes.
    pub(super) fn slot_out(&self, position: u64) -> &Line {
        self.region.line(self.layout.slot(self.side, position))
    }

    /// Whether the word of a slot says that the piece at `position` lies in it.
    ///
    /// The slot's last user was another position with the same index, which differs in these bits.
    pub(super) fn published(word: u64, position: u64) -> bool {
        word as u32 == Link::mark(position)
    }

    /// What marks a slot as that of `position`; zeroed memory is nobody's.
    pub(super) fn mark(position: u64) -> u32 {
        (position as u32).wrapping_add(1)
    }

    /// Tells the peer how many slots were taken. Release: pairs with the load in `peer_taken`;
    /// the bytes were copied out before.
    pub(super) fn take(&self, next: u64) {
        self.next.store(next, Ordering::Relaxed);
        self.region.line(Layout::taken(self.side))[0].store(next, Ordering::Release);
    }

    /// How many slots the peer says it took. Acquire: pairs with `take`; the slots may be written.
    pub(super) fn peer_taken(&self) -> u64 {
        self.region.line(Layout::taken(self.side.other()))[0].load(Ordering::Acquire)
    }

    /// Rings if the peer sleeps and waits for `news`, which was stored before.
    pub(super) fn wake(&self, news: u64) {
        if self.peer_door().must_ring(news) {
            self.bell.ring();
        }
    }

    /// A write found no room when the peer had taken `at` slots, or (none) all was written.
    pub(super) fn note_stuck(&self, at: Option<u64>) {
        self.stuck_at.store(at.unwrap_or(NOT_STUCK), Ordering::Relaxed);
    }

    /// Nothing more will be published by the peer, or heeded.
    pub(super) fn note_over(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether the peer will publish nothing more, as far as that can be seen without a system
    /// call. What it has published is visible after this.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed) || self.peer_door().has_left()
    }

    /// Listens to the kernel as well.
    pub(super) fn hear(&self) {
        if self.bell.hear() {
            self.note_over();
        }
    }

    /// Says goodbye. What the peer has published may still be read.
    pub(super) fn end(&self) {
        self.note_over();
        self.door().leave();
        self.bell.end();
    }

    /// Announces that this side is about to sleep, and returns what ends its sleep.
    ///
    /// `unflushed` says that frames wait which no write was tried for. A socket is always writable
    /// here, so asking for that as well means: do not sleep.
    pub(super) fn arm(&self, unflushed: bool) -> libc::pollfd {
        self.hear();
        let stuck_at = self.stuck_at.load(Ordering::Relaxed);
        let stuck = stuck_at != NOT_STUCK;
        self.door().announce(if stuck { FRAMES | ROOM } else { FRAMES });
        let next = self.next.load(Ordering::Relaxed);
        let frames = Link::published(self.slot_in(next)[0].load(Ordering::Relaxed), next);
        let room = stuck && self.peer_taken() != stuck_at;
        let news = unflushed || frames || room || self.is_over();
        let events = if news { libc::POLLIN | libc::POLLOUT } else { libc::POLLIN };
        libc::pollfd { fd: self.bell.fd(), events, revents: 0 }
    }
}
