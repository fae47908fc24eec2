//! Threads that wait for work, each at a place of its own.
//!
//! *Invariants*: SHIP-2. *Layout*: places, and for each a bit that says that its thread waits for work. *Who may touch
//! what, when*: who clears the bit of a place, by an exchange, hands its thread work, once; the thread itself clears it
//! when it has waited long enough. *Why not safe code*: handing over takes no lock, so that the engine can do it.

use core::ptr;

use crate::primitive::{AtomicPtr, AtomicU64, IDLE_PLACES, Ordering};
use crate::wait::Wait;

/// What a place says when work was handed over.
const HANDED_OVER: u32 = 1;

/// Places where threads wait for work.
pub(crate) struct Idle<T> {
    places: [Wait; IDLE_PLACES],
    /// The places that a thread has taken.
    taken: AtomicU64,
    /// The places where one waits.
    waiting: AtomicU64,
    /// For each place the leaked box that its thread is to take.
    work: [AtomicPtr<T>; IDLE_PLACES],
}

/// One of them, for the thread that has taken it.
#[derive(Debug)]
pub(crate) struct Place(usize);

impl<T: Send> Idle<T> {
    /// Nobody waits.
    pub(crate) fn new() -> Idle<T> {
        Idle {
            places: core::array::from_fn(|_| Wait::new()),
            taken: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            work: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
        }
    }

    /// Hands `work` to a waiting thread, or gives it back when there is none. Waits for nobody.
    pub(crate) fn hand_over(&self, work: T) -> Result<(), T> {
        // Acquire: pairs with the release in `next`, before which the place was armed.
        let Some(place) = clear_lowest(&self.waiting) else { return Err(work) };
        self.work[place].store(Box::into_raw(Box::new(work)), Ordering::Relaxed);
        // Orders the box, too.
        self.places[place].set(HANDED_OVER, 0);
        Ok(())
    }

    /// Takes a place, if one is free, for the calling thread.
    pub(crate) fn enter(&self) -> Option<Place> {
        set_lowest(&self.taken).map(Place)
    }

    /// Gives the place back.
    pub(crate) fn leave(&self, place: Place) {
        // Release: pairs with the acquire in `set_lowest`.
        self.taken.fetch_and(!(1 << place.0), Ordering::Release);
    }

    /// The next work for the thread at `place`. `wait` waits until the state is no longer [`Wait::PENDING`], or as long as
    /// it likes; in the latter case there may be none.
    pub(crate) fn next(&self, place: &Place, wait: impl FnOnce(&Wait)) -> Option<T> {
        let (bit, work, place) = (1 << place.0, &self.work[place.0], &self.places[place.0]);
        place.arm();
        // Release: pairs with the acquire in `clear_lowest`.
        self.waiting.fetch_or(bit, Ordering::Release);
        wait(place);
        if place.state() == Wait::PENDING {
            if self.waiting.fetch_and(!bit, Ordering::Relaxed) & bit != 0 {
                return None;
            }
            // Somebody has just chosen this thread.
            place.wait_while(Wait::PENDING, None);
        }
        let work = work.load(Ordering::Relaxed);
        // SAFETY: SHIP-2: who cleared this place's bit has leaked the box for this thread, which takes it once: the place is
        // armed again before the bit is set again. `Wait` orders the box before its state.
        Some(*unsafe { Box::from_raw(work) })
    }
}

/// Clears the lowest bit that is set; which one that was.
fn clear_lowest(bits: &AtomicU64) -> Option<usize> {
    let cleared = bits.fetch_update(Ordering::Acquire, Ordering::Relaxed, |bits| {
        (bits != 0).then(|| bits & bits.wrapping_sub(1))
    });
    cleared.ok().map(|before| before.trailing_zeros() as usize)
}

/// Sets the lowest bit that is clear; which one that was.
fn set_lowest(bits: &AtomicU64) -> Option<usize> {
    let set = bits.fetch_update(Ordering::Acquire, Ordering::Relaxed, |bits| {
        (bits.trailing_ones() < IDLE_PLACES as u32).then(|| bits | (bits + 1))
    });
    set.ok().map(|before| before.trailing_ones() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_taken_from_below() {
        let bits = AtomicU64::new(0);
        assert_eq!(clear_lowest(&bits), None);
        assert!((0..IDLE_PLACES).all(|at| set_lowest(&bits) == Some(at)));
        assert_eq!(set_lowest(&bits), None);
        assert_eq!(clear_lowest(&bits), Some(0));
        assert_eq!(clear_lowest(&bits), Some(1));
        assert_eq!(set_lowest(&bits), Some(0));
    }

    #[test]
    fn nobody_gets_work_who_does_not_wait() {
        let idle = Idle::new();
        assert_eq!(idle.hand_over(1), Err(1));
        let place = idle.enter().expect("all are free");
        assert_eq!(idle.hand_over(2), Err(2));
        // Has waited for nothing.
        assert_eq!(idle.next(&place, |_| ()), None);
        assert_eq!(idle.hand_over(3), Err(3));
        // Is handed work after it has ended its wait, and before it says so.
        assert_eq!(idle.next(&place, |_| assert_eq!(idle.hand_over(4), Ok(()))), Some(4));
        idle.leave(place);
    }
}
