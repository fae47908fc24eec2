//! How many pages to ask for at once: follows threads that walk through memory.
//!
//! A walk asks for more and more pages: 1, 2, 4 .. up to what a request may name, and then for
//! several requests at a time, so that some are under way while the walk works on others. When
//! a thread touches a page that is under way, the walk has caught up with it, and as much is
//! asked for behind the last request. Who stops walking leaves at most one such stretch unused.
//!
//! | fault | pages asked for, from the fault on |
//! |---|---|
//! | right behind the last request | twice as many as before |
//! | inside it, nothing under way (the home granted less) | as many as before |
//! | at its start (the page was taken away again) | one |
//! | at a page under way, of a walk in full stride | twice as many as before, those behind the last request, in whole requests |
//! | as far from the second of two lone faults as that from the first | two, in such steps |
//! | anywhere else: a new walk | one |
//!
//! The last but one begins a walk in steps of up to `STEP_PAGES_MAX` pages, also backwards. It
//! asks for just the pages it would touch, at most `STEPS_AHEAD_MAX`; those are in full stride
//! from the first. Faults at random ask for nothing more than they touch, unless three in a
//! row happen to be as far from each other.

use dstd_addr::PageNo;

use super::table::Access;
use crate::limits::{STEP_PAGES_MAX, STEPS_AHEAD_MAX, STREAMS_MAX};

/// What walks may ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reach {
    /// The most pages of one request.
    pub(super) window: u16,
    /// The most pages from a fault on.
    pub(super) ahead: u16,
}

/// Pages that a walk comes to one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stretch {
    pub(super) first: PageNo,
    pub(super) count: u16,
    /// From one page to the next; never 0.
    step: i64,
}

impl Stretch {
    /// A page by itself.
    pub(super) fn one(page: PageNo) -> Stretch {
        Stretch { first: page, count: 1, step: 1 }
    }

    /// The pages in the order of their numbers, those that lie together next to each other.
    pub(super) fn in_order(self) -> impl Iterator<Item = PageNo> {
        (0..self.count).map(move |at| {
            let steps = if self.step > 0 { at } else { self.count - 1 - at };
            walked(self.first, self.step, steps)
        })
    }

    /// Whether there are pages between its pages.
    pub(super) fn leaves_out(self) -> bool {
        self.step.abs() > 1
    }

    /// Whether requests for the pages in order name the first one first.
    pub(super) fn first_is_lowest(self) -> bool {
        self.step > 0
    }

    /// What one request can name of it from its first page on, and what it leaves.
    pub(super) fn split(self, window: u16) -> (u16, Stretch) {
        let count = self.count.min(if self.step == 1 { window } else { 1 });
        let first = walked(self.first, self.step, count);
        (count, Stretch { first, count: self.count - count, step: self.step })
    }
}

/// The page that is so many steps from `page`; 0, which is nobody's, where there is none.
fn walked(page: PageNo, step: i64, steps: u16) -> PageNo {
    PageNo(page.0.saturating_add_signed(step.saturating_mul(i64::from(steps))))
}

/// How far `to` is from `from`.
fn distance(from: PageNo, to: PageNo) -> i64 {
    to.0.wrapping_sub(from.0).cast_signed()
}

/// One walk: the last fault was at `start`, everything before `next` was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Stream {
    access: Access,
    start: PageNo,
    next: PageNo,
    window: u16,
    step: i64,
    /// How far the first fault of this walk was from that of another one, if it was near.
    from: Option<i64>,
}

impl Stream {
    /// Whether the walk comes to `page`, up to and including `next`.
    fn comes_to(&self, page: PageNo) -> bool {
        let ahead = distance(self.start, page);
        let asked = distance(self.start, self.next);
        ahead % self.step == 0 && (0..=asked / self.step).contains(&(ahead / self.step))
    }

    /// The most pages to have asked for from a fault on.
    fn most(&self, reach: Reach) -> u16 {
        if self.step.abs() == 1 { reach.ahead } else { reach.ahead.min(STEPS_AHEAD_MAX) }
    }

    /// The pages from the fault at `page` on.
    fn ask_from(&mut self, page: PageNo) -> Stretch {
        self.start = page;
        self.next = walked(page, self.step, self.window);
        Stretch { first: page, count: self.window, step: self.step }
    }
}

/// The walks of this node, the least recently started one gives way to a new one.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct Streams {
    streams: [Option<Stream>; STREAMS_MAX],
    oldest: u8,
}

impl Streams {
    /// What a fault at `page`, which is not under way, should ask for: `page` first.
    pub(super) fn advance(&mut self, page: PageNo, access: Access, reach: Reach) -> Stretch {
        let known = |stream: &&mut Stream| stream.access == access && stream.comes_to(page);
        let Some(stream) = self.streams.iter_mut().flatten().find(known) else {
            return self.begin(page, access, reach);
        };
        if page == stream.next {
            stream.window = stream.window.saturating_mul(2).min(stream.most(reach));
        } else if page == stream.start {
            stream.window = 1;
        }
        stream.ask_from(page)
    }

    /// A walk that was not known: the third fault of one in steps, or the first of any.
    fn begin(&mut self, page: PageNo, access: Access, reach: Reach) -> Stretch {
        let mut from: Option<i64> = None;
        for stream in self.streams.iter_mut().flatten() {
            let far = distance(stream.start, page);
            let lone = stream.access == access && stream.window == 1;
            if !lone || far.unsigned_abs() > STEP_PAGES_MAX {
                continue;
            }
            if stream.from == Some(far) {
                stream.step = far;
                stream.window = stream.most(reach).min(2);
                return stream.ask_from(page);
            }
            if from.is_none_or(|nearest| far.abs() < nearest.abs()) {
                from = Some(far);
            }
        }
        let slot = usize::from(self.oldest);
        let stream = Stream { access, start: page, next: page.plus(1), window: 1, step: 1, from };
        self.streams[slot] = Some(stream);
        self.oldest = ((slot + 1) % STREAMS_MAX) as u8;
        Stretch::one(page)
    }

    /// A thread touched `page`, which is under way: what to ask for behind all that is.
    pub(super) fn follow(&mut self, page: PageNo, access: Access, reach: Reach) -> Option<Stretch> {
        let request = |stream: &Stream| if stream.step.abs() == 1 { reach.window } else { 1 };
        let stream = self.streams.iter_mut().flatten().find(|stream| {
            stream.access == access
                && stream.comes_to(page)
                && page != stream.start
                && page != stream.next
                && stream.window >= request(stream)
        })?;
        stream.window = stream.window.saturating_mul(2).min(stream.most(reach));
        stream.start = page;
        let asked = (distance(page, stream.next) / stream.step) as u16;
        let requests = stream.window.saturating_sub(asked) / request(stream);
        let (first, count) = (stream.next, requests * request(stream));
        stream.next = walked(first, stream.step, count);
        (count > 0).then_some(Stretch { first, count, step: stream.step })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One request at a time.
    fn reach(window: u16) -> Reach {
        Reach { window, ahead: window }
    }

    fn row(first: PageNo, count: u16) -> Option<Stretch> {
        Some(Stretch { first, count, step: 1 })
    }

    #[test]
    fn the_window_doubles_while_faults_are_sequential() {
        let mut streams = Streams::default();
        let mut page = PageNo(100);
        let mut windows = Vec::new();
        for _ in 0..6 {
            let window = streams.advance(page, Access::Read, reach(16)).count;
            windows.push(window);
            page = page.plus(u64::from(window));
        }
        assert_eq!(windows, [1, 2, 4, 8, 16, 16]);
    }

    #[test]
    fn a_short_grant_keeps_the_window_and_a_jump_forgets_it() {
        let mut streams = Streams::default();
        assert_eq!(streams.advance(PageNo(10), Access::Write, reach(16)).count, 1);
        assert_eq!(streams.advance(PageNo(11), Access::Write, reach(16)).count, 2);
        assert_eq!(streams.advance(PageNo(13), Access::Write, reach(16)).count, 4);
        assert_eq!(streams.advance(PageNo(15), Access::Write, reach(16)).count, 4);
        assert_eq!(streams.advance(PageNo(40), Access::Write, reach(16)).count, 1);
        assert_eq!(streams.advance(PageNo(12), Access::Read, reach(16)).count, 1);
    }

    #[test]
    fn a_contended_page_takes_no_stream_from_the_others() {
        let mut streams = Streams::default();
        assert_eq!(streams.advance(PageNo(500), Access::Read, reach(16)).count, 1);
        for _ in 0..2 * STREAMS_MAX {
            assert_eq!(streams.advance(PageNo(10), Access::Read, reach(16)).count, 1);
        }
        assert_eq!(streams.advance(PageNo(501), Access::Read, reach(16)).count, 2);
    }

    #[test]
    fn streams_do_not_disturb_each_other_until_there_are_too_many() {
        let mut streams = Streams::default();
        let starts: Vec<_> = (0..STREAMS_MAX as u64).map(|k| PageNo(k * 1000)).collect();
        for start in &starts {
            assert_eq!(streams.advance(*start, Access::Read, reach(64)).count, 1);
        }
        for start in &starts {
            assert_eq!(streams.advance(start.plus(1), Access::Read, reach(64)).count, 2);
        }
        assert_eq!(streams.advance(PageNo(77_000), Access::Read, reach(64)).count, 1);
        assert_eq!(streams.advance(starts[0].plus(3), Access::Read, reach(64)).count, 1);
        assert_eq!(streams.advance(starts[2].plus(3), Access::Read, reach(64)).count, 4);
    }

    #[test]
    fn a_walk_in_full_stride_stays_as_far_ahead() {
        let reach = Reach { window: 4, ahead: 16 };
        let mut streams = Streams::default();
        for (page, count) in [(100, 1), (101, 2), (103, 4), (107, 8)] {
            assert_eq!(streams.advance(PageNo(page), Access::Read, reach).count, count);
        }
        // The requests for 107 and 111 are under way; each that has come lets one more leave.
        assert_eq!(streams.follow(PageNo(111), Access::Read, reach), row(PageNo(115), 12));
        for page in (115..200).step_by(4) {
            assert_eq!(streams.follow(PageNo(page), Access::Read, reach), row(PageNo(page + 12), 4));
        }
    }

    #[test]
    fn only_a_walk_that_goes_on_asks_for_more() {
        let reach = Reach { window: 2, ahead: 8 };
        let mut streams = Streams::default();
        assert_eq!(streams.advance(PageNo(10), Access::Write, reach).count, 1);
        assert_eq!(streams.advance(PageNo(11), Access::Write, reach).count, 2);
        // At its start, behind it, elsewhere, with another wish.
        for (page, access) in
            [(11, Access::Write), (13, Access::Write), (40, Access::Write), (12, Access::Read)]
        {
            assert_eq!(streams.follow(PageNo(page), access, reach), None);
        }
        assert_eq!(streams.follow(PageNo(12), Access::Write, reach), row(PageNo(13), 2));
        assert_eq!(streams.follow(PageNo(12), Access::Write, reach), None, "another thread");
        assert_eq!(streams.follow(PageNo(13), Access::Write, reach), row(PageNo(15), 6));
        assert_eq!(streams.follow(PageNo(14), Access::Write, reach), None, "no whole request");
        assert_eq!(streams.follow(PageNo(15), Access::Write, reach), row(PageNo(21), 2));
    }

    #[test]
    fn the_third_fault_of_a_walk_in_steps_is_known() {
        for step in [2, 7, STEP_PAGES_MAX as i64, -1, -3, -(STEP_PAGES_MAX as i64)] {
            let mut streams = Streams::default();
            let at = |steps: u16| walked(PageNo(1 << 20), step, steps);
            let stretch = |first, count| Stretch { first: at(first), count, step };
            assert_eq!(streams.advance(at(0), Access::Read, reach(16)), Stretch::one(at(0)));
            assert_eq!(streams.advance(at(1), Access::Read, reach(16)), Stretch::one(at(1)));
            assert_eq!(streams.advance(at(2), Access::Read, reach(16)), stretch(2, 2));
            assert_eq!(streams.advance(at(4), Access::Read, reach(16)), stretch(4, 4));
            assert_eq!(streams.advance(at(6), Access::Read, reach(16)), stretch(6, 4), "granted less");
            assert_eq!(streams.advance(at(10), Access::Read, reach(16)), stretch(10, 8));
            assert_eq!(streams.advance(at(10), Access::Read, reach(16)), stretch(10, 1), "taken away");
        }
    }

    #[test]
    fn a_walk_in_steps_stays_ahead_by_a_page_for_each_it_comes_to() {
        let reach = Reach { window: 64, ahead: 256 };
        let mut streams = Streams::default();
        let at = |steps: u16| walked(PageNo(1000), 5, steps);
        let ask = |first, count| Some(Stretch { first: at(first), count, step: 5 });
        (0..3).for_each(|steps| _ = streams.advance(at(steps), Access::Write, reach));
        assert_eq!(streams.follow(at(3), Access::Write, reach), ask(4, 3));
        assert_eq!(streams.follow(at(4), Access::Write, reach), ask(7, 5));
        assert_eq!(streams.follow(at(5), Access::Write, reach), ask(12, 9));
        assert_eq!(STEPS_AHEAD_MAX, 16);
        for steps in 6..40 {
            assert_eq!(streams.follow(at(steps), Access::Write, reach), ask(steps + 15, 1));
        }
        assert_eq!(streams.follow(PageNo(at(41).0 + 1), Access::Write, reach), None, "between two steps");
    }

    #[test]
    fn two_walks_in_steps_are_told_apart() {
        let mut streams = Streams::default();
        let (one, two) =
            (|k: u16| PageNo(1000 + 3 * u64::from(k)), |k: u16| PageNo(9000 - 10 * u64::from(k)));
        for k in 0..2 {
            assert_eq!(streams.advance(one(k), Access::Read, reach(64)).count, 1);
            assert_eq!(streams.advance(two(k), Access::Read, reach(64)).count, 1);
        }
        assert_eq!(streams.advance(one(2), Access::Read, reach(64)).step, 3);
        assert_eq!(streams.advance(two(2), Access::Read, reach(64)).step, -10);
        assert_eq!(streams.advance(one(4), Access::Read, reach(64)).count, 4);
        assert_eq!(streams.advance(two(4), Access::Read, reach(64)).count, 4);
    }

    #[test]
    fn other_faults_begin_no_walk_in_steps() {
        let mut streams = Streams::default();
        let far = STEP_PAGES_MAX + 1;
        // Steps that differ, steps that are too long, another wish, the same pages again and again.
        let read = |page| (PageNo(page), Access::Read);
        let faults = [read(100), read(103), read(107), read(5000), read(5000 + far), read(5000 + 2 * far)];
        let wishes = [read(900), (PageNo(902), Access::Write), read(904)];
        let again = [read(300), read(302), read(300), read(302), read(300), read(302)];
        for (page, access) in faults.into_iter().chain(wishes).chain(again) {
            assert_eq!(streams.advance(page, access, reach(64)), Stretch::one(page), "{page:?}");
        }
    }

    #[test]
    fn the_ends_of_the_numbers_are_no_pages_of_a_walk() {
        let mut streams = Streams::default();
        for page in [130, 70, 10] {
            streams.advance(PageNo(page), Access::Read, reach(64));
        }
        let behind = streams.follow(PageNo(10), Access::Read, reach(64));
        assert_eq!(behind, None);
        let stretch = Stretch { first: PageNo(10), count: 3, step: -60 };
        assert_eq!(stretch.in_order().collect::<Vec<_>>(), [PageNo(0), PageNo(0), PageNo(10)]);
        let stretch = Stretch { first: PageNo(10), count: 3, step: -1 };
        assert_eq!(stretch.in_order().collect::<Vec<_>>(), [PageNo(8), PageNo(9), PageNo(10)]);
        assert_eq!(stretch.split(64), (1, Stretch { first: PageNo(9), count: 2, step: -1 }));
    }
}
