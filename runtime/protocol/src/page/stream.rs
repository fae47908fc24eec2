//! How many pages to ask for at once: follows threads that walk through memory.

use dstd_addr::PageNo;

use super::table::Access;
use crate::limits::STREAMS_MAX;

/// One walk: the last request was for `start..next`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Stream {
    access: Access,
    start: PageNo,
    next: PageNo,
    window: u16,
}

/// The walks of this node, the least recently started one gives way to a new one.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct Streams {
    streams: [Option<Stream>; STREAMS_MAX],
    oldest: u8,
}

impl Streams {
    /// How many pages, at most `window_max`, a fault at `page` should ask for.
    ///
    /// A fault right behind the last request doubles the window; one inside it (the home
    /// granted less) keeps it; one at its start (the page was taken away again) shrinks it to a
    /// single page; any other one starts a new walk with a single page.
    pub(super) fn advance(&mut self, page: PageNo, access: Access, window_max: u16) -> u16 {
        for stream in self.streams.iter_mut().flatten() {
            if stream.access == access && stream.start <= page && page <= stream.next {
                if page == stream.next {
                    stream.window = stream.window.saturating_mul(2).min(window_max);
                } else if page == stream.start {
                    stream.window = 1;
                }
                stream.start = page;
                stream.next = page.plus(u64::from(stream.window));
                return stream.window;
            }
        }
        let slot = usize::from(self.oldest);
        self.streams[slot] = Some(Stream { access, start: page, next: page.plus(1), window: 1 });
        self.oldest = ((slot + 1) % STREAMS_MAX) as u8;
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_doubles_while_faults_are_sequential() {
        let mut streams = Streams::default();
        let mut page = PageNo(100);
        let mut windows = Vec::new();
        for _ in 0..6 {
            let window = streams.advance(page, Access::Read, 16);
            windows.push(window);
            page = page.plus(u64::from(window));
        }
        assert_eq!(windows, [1, 2, 4, 8, 16, 16]);
    }

    #[test]
    fn a_short_grant_keeps_the_window_and_a_jump_forgets_it() {
        let mut streams = Streams::default();
        assert_eq!(streams.advance(PageNo(10), Access::Write, 16), 1);
        assert_eq!(streams.advance(PageNo(11), Access::Write, 16), 2);
        assert_eq!(streams.advance(PageNo(13), Access::Write, 16), 4);
        assert_eq!(streams.advance(PageNo(15), Access::Write, 16), 4);
        assert_eq!(streams.advance(PageNo(40), Access::Write, 16), 1);
        assert_eq!(streams.advance(PageNo(12), Access::Read, 16), 1);
    }

    #[test]
    fn a_contended_page_takes_no_stream_from_the_others() {
        let mut streams = Streams::default();
        assert_eq!(streams.advance(PageNo(500), Access::Read, 16), 1);
        for _ in 0..2 * STREAMS_MAX {
            assert_eq!(streams.advance(PageNo(10), Access::Read, 16), 1);
        }
        assert_eq!(streams.advance(PageNo(501), Access::Read, 16), 2);
    }

    #[test]
    fn streams_do_not_disturb_each_other_until_there_are_too_many() {
        let mut streams = Streams::default();
        let starts: Vec<_> = (0..STREAMS_MAX as u64).map(|k| PageNo(k * 1000)).collect();
        for start in &starts {
            assert_eq!(streams.advance(*start, Access::Read, 64), 1);
        }
        for start in &starts {
            assert_eq!(streams.advance(start.plus(1), Access::Read, 64), 2);
        }
        assert_eq!(streams.advance(PageNo(77_000), Access::Read, 64), 1);
        assert_eq!(streams.advance(starts[0].plus(3), Access::Read, 64), 1);
        assert_eq!(streams.advance(starts[2].plus(3), Access::Read, 64), 4);
    }
}
