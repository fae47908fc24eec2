//! How long to spin: arithmetic only, no clock.

/// The longest spin that pays on machines where several nodes share few cores: about two wake-ups.
pub const SPIN_NS_DEFAULT: u64 = 30_000;

/// The window never shrinks below this (unless the maximum is lower): one try is nearly free, and
/// a peer that answers at once is noticed again.
pub const SPIN_NS_MIN: u64 = 2_000;

/// Waking a sleeping thread takes up to about this long. A sleep that was shorter than this and
/// the longest spin together is one that a longer spin would have spared.
pub const SLEEP_NS_SHORT: u64 = 50_000;

/// What to do after a round without work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Idle {
    /// Work may come soon.
    PollAgain,
    /// It did not come in time.
    Sleep,
}

/// The adaptive spin window.
///
/// | what happened | window |
/// |---|---|
/// | work came while spinning | doubles |
/// | work ended a sleep shorter than [`SLEEP_NS_SHORT`] and the maximum together | doubles |
/// | any other sleep | halves |
///
/// It starts at, and stays at most, its maximum.
#[derive(Clone, Debug)]
pub struct Pace {
    window_ns: u64,
    window_ns_max: u64,
    /// When the present spin began.
    idle_since: Option<u64>,
}

impl Pace {
    /// A window of at most `window_ns_max`; 0 means no spinning at all.
    pub fn new(window_ns_max: u64) -> Pace {
        Pace { window_ns: window_ns_max, window_ns_max, idle_since: None }
    }

    /// A round found work; returns whether it was spun for.
    pub fn active(&mut self) -> bool {
        let spinning = self.idle_since.take().is_some();
        if spinning {
            self.grow();
        }
        spinning
    }

    /// A round that ended at `now` found none.
    pub fn idle(&mut self, now_ns: u64) -> Idle {
        let since = *self.idle_since.get_or_insert(now_ns);
        if now_ns.saturating_sub(since) < self.window_ns {
            Idle::PollAgain
        } else {
            self.idle_since = None;
            Idle::Sleep
        }
    }

    /// A sleep took `slept_ns` and was ended by work, or (`woken` false) by a timeout or signal.
    pub fn slept(&mut self, slept_ns: u64, woken: bool) {
        self.idle_since = None;
        if woken && slept_ns < SLEEP_NS_SHORT + self.window_ns_max {
            self.grow();
        } else {
            let least = SPIN_NS_MIN.min(self.window_ns_max);
            self.window_ns = (self.window_ns / 2).max(least);
        }
    }

    /// The present window.
    pub fn window_ns(&self) -> u64 {
        self.window_ns
    }

    fn grow(&mut self) {
        self.window_ns = self.window_ns.saturating_mul(2).min(self.window_ns_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spin_lasts_for_the_window_since_the_last_work() {
        let mut pace = Pace::new(100);
        assert_eq!(pace.idle(1000), Idle::PollAgain);
        assert_eq!(pace.idle(1099), Idle::PollAgain);
        assert!(pace.active());
        assert_eq!(pace.idle(1100), Idle::PollAgain);
        assert_eq!(pace.idle(1199), Idle::PollAgain);
        assert_eq!(pace.idle(1200), Idle::Sleep);
    }

    #[test]
    fn work_without_a_spin_changes_nothing() {
        let mut pace = Pace::new(SPIN_NS_DEFAULT);
        pace.slept(u64::MAX, true);
        assert!(!pace.active());
        assert_eq!(pace.window_ns(), SPIN_NS_DEFAULT / 2);
    }

    #[test]
    fn the_window_shrinks_to_its_minimum_while_spinning_never_pays() {
        let mut pace = Pace::new(SPIN_NS_DEFAULT);
        let mut before = pace.window_ns();
        for _ in 0..10 {
            assert_eq!(pace.idle(0), Idle::PollAgain);
            assert_eq!(pace.idle(before), Idle::Sleep);
            pace.slept(10_000_000, true);
            assert_eq!(pace.window_ns(), (before / 2).max(SPIN_NS_MIN));
            before = pace.window_ns();
        }
        assert_eq!(before, SPIN_NS_MIN);
    }

    #[test]
    fn the_window_grows_back_when_spinning_pays_or_would_have_paid() {
        let shrunk = |pace: &mut Pace| (0..10).for_each(|_| pace.slept(u64::MAX, true));
        let mut pace = Pace::new(SPIN_NS_DEFAULT);
        shrunk(&mut pace);
        for _ in 0..10 {
            assert_eq!(pace.idle(7), Idle::PollAgain);
            assert!(pace.active());
        }
        assert_eq!(pace.window_ns(), SPIN_NS_DEFAULT);
        shrunk(&mut pace);
        (0..10).for_each(|_| pace.slept(SLEEP_NS_SHORT, true));
        assert_eq!(pace.window_ns(), SPIN_NS_DEFAULT);
    }

    #[test]
    fn a_short_sleep_that_only_timed_out_is_no_reason_to_spin() {
        let mut pace = Pace::new(SPIN_NS_DEFAULT);
        pace.slept(1, false);
        assert_eq!(pace.window_ns(), SPIN_NS_DEFAULT / 2);
    }

    #[test]
    fn a_small_maximum_is_kept() {
        for max in [0, 1, SPIN_NS_MIN - 1] {
            let mut pace = Pace::new(max);
            pace.slept(u64::MAX, true);
            assert_eq!(pace.window_ns(), max);
            pace.slept(0, true);
            assert_eq!(pace.window_ns(), max);
        }
    }
}
