//! Spin a little, then sleep.
//!
//! Most of what a remote access costs is waking threads up, so an idle engine polls for a while
//! before it sleeps. [`Pace`] decides how long, and [`Waiter`] adds the clock and the system calls.
//!
//! ```text
//! loop {
//!     found = poll the transport, the local queue, the timers; flush
//!     if found            { waiter.active(); continue }
//!     if waiter.idle() == Idle::PollAgain { continue }
//!     announce "asleep" to local producers, look at their queue once more
//!     waiter.sleep(&mut fds, until the next timer)?
//! }
//! ```

mod pace;

use std::time::{Duration, Instant};
use std::{hint, io, thread};

use crate::sys;
pub use pace::{
    CROWDED_NS_MAX, CROWDED_NS_MIN, Idle, Pace, SLEEP_NS_SHORT, SPIN_NS_DEFAULT, SPIN_NS_MIN, YIELD_NS_LONG,
};

/// Whether every spinner can have a core of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cores {
    /// A spinning engine takes nothing from anybody.
    Enough,
    /// Fewer cores than threads that want them: yield between polls, so that the thread one is
    /// waiting for can run.
    Shared,
}

/// How often a waiter did what.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Rounds that found nothing and polled again.
    pub spins: u64,
    /// Spins that ended because work came.
    pub spins_paid: u64,
    /// Sleeps.
    pub sleeps: u64,
}

/// The waiting of one engine thread.
pub struct Waiter {
    pace: Pace,
    cores: Cores,
    start: Instant,
    counts: Counts,
}

impl Waiter {
    /// A waiter that never spins longer than `spin_ns_max` in a row; 0 means that it never spins.
    pub fn new(spin_ns_max: u64, cores: Cores) -> Waiter {
        Waiter { pace: Pace::new(spin_ns_max), cores, start: Instant::now(), counts: Counts::default() }
    }

    /// A round found work.
    pub fn active(&mut self) {
        if self.pace.active() {
            self.counts.spins_paid += 1;
        }
    }

    /// A round found nothing: says whether to poll again, after letting others run, or to sleep.
    pub fn idle(&mut self) -> Idle {
        let now = self.now();
        let idle = self.pace.idle(now);
        if idle == Idle::PollAgain {
            self.counts.spins += 1;
            match self.cores {
                Cores::Enough => hint::spin_loop(),
                Cores::Shared => {
                    thread::yield_now();
                    let back = self.now();
                    self.pace.yielded(back - now, back);
                }
            }
        }
        idle
    }

    /// Sleeps until a descriptor is ready, the timeout has passed, or a signal came, and returns
    /// how many descriptors are ready. Without a timeout only the first and the last end it.
    ///
    /// # Errors
    /// Those of `ppoll`, which mean a mistake in `fds` or a lack of kernel memory.
    pub fn sleep(&mut self, fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<usize> {
        self.counts.sleeps += 1;
        let before = self.now();
        let ready = sys::ppoll(fds, timeout)?;
        let slept = self.now() - before;
        self.pace.slept(slept, ready > 0);
        Ok(ready)
    }

    /// As [`sleep`](Waiter::sleep), to look then at something that no descriptor tells. When it ends by itself
    /// that says nothing about how long to spin.
    ///
    /// # Errors
    /// As [`sleep`](Waiter::sleep).
    pub fn doze(&mut self, fds: &mut [libc::pollfd], time: Duration) -> io::Result<usize> {
        self.counts.sleeps += 1;
        let before = self.now();
        let ready = sys::ppoll(fds, Some(time))?;
        if ready > 0 {
            self.pace.slept(self.now() - before, true);
        }
        Ok(ready)
    }

    /// How often it did what so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn now(&self) -> u64 {
        // 584 years fit.
        self.start.elapsed().as_nanos() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_ready_descriptor_ends_a_sleep_without_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut writer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (reader, _) = listener.accept().unwrap();
        let mut waiter = Waiter::new(SPIN_NS_DEFAULT, Cores::Shared);
        let mut fds = [libc::pollfd { fd: reader.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        assert_eq!(waiter.sleep(&mut fds, Some(Duration::ZERO)).unwrap(), 0);
        writer.write_all(b"x").unwrap();
        assert_eq!(waiter.sleep(&mut fds, None).unwrap(), 1);
        assert_eq!(fds[0].revents, libc::POLLIN);
        assert_eq!(waiter.counts().sleeps, 2);
    }

    #[test]
    fn a_doze_that_ends_by_itself_leaves_the_window() {
        let mut waiter = Waiter::new(SPIN_NS_DEFAULT, Cores::Enough);
        assert_eq!(waiter.doze(&mut [], Duration::from_nanos(1)).unwrap(), 0);
        assert_eq!((waiter.pace.window_ns(), waiter.counts().sleeps), (SPIN_NS_DEFAULT, 1));
        assert_eq!(waiter.sleep(&mut [], Some(Duration::ZERO)).unwrap(), 0);
        assert_eq!(waiter.pace.window_ns(), SPIN_NS_DEFAULT / 2);
    }

    #[test]
    fn idling_ends_in_sleep_and_is_counted() {
        for cores in [Cores::Enough, Cores::Shared] {
            let mut waiter = Waiter::new(SPIN_NS_DEFAULT, cores);
            assert_eq!(waiter.idle(), Idle::PollAgain);
            waiter.active();
            while waiter.idle() == Idle::PollAgain {}
            assert_eq!(waiter.counts().spins_paid, 1);
            assert!(waiter.counts().spins >= 1);
        }
    }

    #[test]
    fn a_waiter_without_a_window_sleeps_at_once() {
        assert_eq!(Waiter::new(0, Cores::Enough).idle(), Idle::Sleep);
    }
}
