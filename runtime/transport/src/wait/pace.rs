//! How long to spin: arithmetic only, no clock.

/// The longest spin that pays on machines where several nodes share few cores: about two wake-ups.
pub const SPIN_NS_DEFAULT: u64 = 30_000;

/// The window never shrinks below this (unless the maximum is lower): one try is nearly free, and
/// a peer that answers at once is noticed again.
pub const SPIN_NS_MIN: u64 = 2_000;

/// Waking a sleeping thread takes up to about this long. A sleep that was shorter than this and
/// the longest spin together is one that a longer spin would have spared.
pub const SLEEP_NS_SHORT: u64 = 50_000;

/// Who lets others run and gets the core back only after this long has met a thread that computes: it has the core until
/// its slice of time ends, milliseconds later.
pub const YIELD_NS_LONG: u64 = 200_000;

/// How long nobody spins after that, at first: a sleeper that wakes gets a core sooner than one who has let others run.
/// About as long as the slice was, so that threads which computed only for a moment cost little more.
pub const CROWDED_NS_MIN: u64 = 4_000_000;

/// The longest that nobody spins: a slice that is lost once in this time is a small part of it.
pub const CROWDED_NS_MAX: u64 = 128_000_000;

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
/// It starts at, and stays at most, its maximum. While the core is wanted by threads that compute there is no
/// spinning, whatever the window:
///
/// | others were let run | no spinning for |
/// |---|---|
/// | for [`YIELD_NS_LONG`] or longer | [`CROWDED_NS_MIN`] |
/// | and again, sooner than [`CROWDED_NS_MAX`] after such a time | twice as long as before, at most [`CROWDED_NS_MAX`] |
#[derive(Clone, Debug)]
pub struct Pace {
    window_ns: u64,
    window_ns_max: u64,
    /// When the present spin began.
    idle_since: Option<u64>,
    /// Until when there is no spinning, and for how long there was none then.
    crowded_until: u64,
    crowded_ns: u64,
}

impl Pace {
    /// A window of at most `window_ns_max`; 0 means no spinning at all.
    pub fn new(window_ns_max: u64) -> Pace {
        Pace { window_ns: window_ns_max, window_ns_max, idle_since: None, crowded_until: 0, crowded_ns: 0 }
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
        if now_ns >= self.crowded_until && now_ns.saturating_sub(since) < self.window_ns {
            Idle::PollAgain
        } else {
            self.idle_since = None;
            Idle::Sleep
        }
    }

    /// Others were let run, for `yielded_ns`, until `now`.
    pub fn yielded(&mut self, yielded_ns: u64, now_ns: u64) {
        if yielded_ns < YIELD_NS_LONG {
            return;
        }
        // The yield began before others kept the core.
        let since = (now_ns - yielded_ns).saturating_sub(self.crowded_until);
        let again = self.crowded_ns != 0 && since < CROWDED_NS_MAX;
        self.crowded_ns = if again { (self.crowded_ns * 2).min(CROWDED_NS_MAX) } else { CROWDED_NS_MIN };
        self.crowded_until = now_ns + self.crowded_ns;
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
    fn nobody_spins_for_a_while_after_a_long_yield() {
        let mut pace = Pace::new(100);
        pace.yielded(YIELD_NS_LONG - 1, 1_000_000);
        assert_eq!(pace.idle(1_000_000), Idle::PollAgain);
        pace.yielded(YIELD_NS_LONG, 2_000_000);
        assert_eq!(pace.idle(2_000_000), Idle::Sleep);
        pace.slept(1, true);
        assert_eq!(pace.idle(2_000_000 + CROWDED_NS_MIN - 1), Idle::Sleep);
        assert_eq!(pace.idle(2_000_000 + CROWDED_NS_MIN), Idle::PollAgain);
    }

    #[test]
    fn who_keeps_losing_slices_tries_less_and_less_often() {
        let mut pace = Pace::new(100);
        let mut now = 1_000_000_000;
        let mut lose = |pause: u64| {
            now += pause + YIELD_NS_LONG;
            pace.yielded(YIELD_NS_LONG, now);
            now = pace.crowded_until;
            pace.crowded_ns
        };
        assert_eq!(lose(0), CROWDED_NS_MIN);
        for n in 1..=5 {
            assert_eq!(lose(0), CROWDED_NS_MIN << n);
        }
        assert_eq!((CROWDED_NS_MIN << 5, lose(0)), (CROWDED_NS_MAX, CROWDED_NS_MAX));
        // So much later those threads are gone.
        assert_eq!(lose(CROWDED_NS_MAX), CROWDED_NS_MIN);
        assert_eq!(lose(CROWDED_NS_MAX - 1), 2 * CROWDED_NS_MIN);
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
