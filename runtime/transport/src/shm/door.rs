//! Who sleeps, what for, and who has left: one word per side.
//!
//! | bit | set by | cleared by | means |
//! |---|---|---|---|
//! | `FRAMES` | its owner, before it sleeps | its owner, awake; the peer, when it wakes it | wake me when a piece is published |
//! | `ROOM` | same | same | wake me when a slot is taken |
//! | `LEFT` | its owner, for ever | nobody | nothing is read here any more, nothing more is written |
//!
//! # No wake-up is lost
//!
//! ```text
//! sleeper                                   waker
//! S1 set FRAMES                             W1 publish a piece (store to the slot)
//! S2 fence SeqCst                           W2 fence SeqCst
//! S3 look at the slot: there -> no sleep    W3 load the door: FRAMES -> clear it, ring
//! S4 ppoll on the bell                      W4 ring = write a byte to the bell
//! ```
//! Of two SeqCst fences one comes first. If S2 does, W3 sees FRAMES and the bell rings: a byte
//! stays in the socket until it is read, so it does not matter whether S4 has begun. If W2 does,
//! S3 sees the piece and the sleeper does not sleep. The bits are cleared by whoever rings, so one
//! announcement brings one byte. A byte from an earlier announcement may come late: then the
//! sleeper wakes for nothing, looks, and announces itself again. Bytes are read only *before* S1,
//! so the byte of an announcement is never read before its sleep. `ROOM` is the same with "a slot
//! is taken" in W1 and "did the count change?" in S3.
//!
//! A peer that lies at the doors can keep itself from being heard and wake us in vain; the end of
//! its process is told by the kernel, not here.

use crate::primitive::{AtomicU64, Ordering, fence};

/// The owner waits for pieces.
pub(super) const FRAMES: u64 = 1;
/// The owner waits until the peer has taken slots.
pub(super) const ROOM: u64 = 2;
/// The owner is gone.
const LEFT: u64 = 4;

/// One side's word.
#[derive(Clone, Copy)]
pub(super) struct Door<'a>(pub(super) &'a AtomicU64);

impl Door<'_> {
    /// Owner: what is looked at after this either shows the news, or the bell will ring.
    pub(super) fn announce(self, wants: u64) {
        self.0.fetch_or(wants, Ordering::Relaxed);
        // SeqCst: orders the store above before the caller's look, against `must_ring`.
        fence(Ordering::SeqCst);
    }

    /// Owner: nobody has to ring.
    pub(super) fn awake(self) {
        if self.0.load(Ordering::Relaxed) & (FRAMES | ROOM) != 0 {
            self.0.fetch_and(LEFT, Ordering::Relaxed);
        }
    }

    /// Owner: says goodbye. Release: pairs with `has_left`, after which everything published
    /// before this is seen.
    pub(super) fn leave(self) {
        self.0.fetch_or(LEFT, Ordering::Release);
    }

    /// Peer: whether the owner has left.
    pub(super) fn has_left(self) -> bool {
        self.0.load(Ordering::Acquire) & LEFT != 0
    }

    /// Peer: whether to ring, after `news` was stored.
    pub(super) fn must_ring(self, news: u64) -> bool {
        // SeqCst: orders the caller's store before the load below, against `announce`.
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed) & news != 0 && self.0.fetch_and(LEFT, Ordering::Relaxed) & news != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_announcement_rings_once_and_only_for_what_was_asked() {
        let word = AtomicU64::new(0);
        let door = Door(&word);
        assert!(!door.must_ring(FRAMES));
        door.announce(FRAMES);
        assert!(!door.must_ring(ROOM));
        assert!(door.must_ring(FRAMES));
        assert!(!door.must_ring(FRAMES));
        door.announce(FRAMES | ROOM);
        assert!(door.must_ring(ROOM));
        assert!(!door.must_ring(FRAMES), "who was woken looks at everything");
        door.announce(FRAMES);
        door.awake();
        assert!(!door.must_ring(FRAMES));
    }

    #[test]
    fn who_left_stays_away() {
        let word = AtomicU64::new(0);
        let door = Door(&word);
        door.announce(FRAMES);
        assert!(!door.has_left());
        door.leave();
        door.awake();
        door.must_ring(FRAMES);
        assert!(door.has_left());
    }
}
