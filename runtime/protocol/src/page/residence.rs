//! Which pages must stay for a while although they have been asked for.

use std::collections::BTreeSet;

use dstd_addr::PageNo;

/// Pages whose giving away waits, ordered by the end of their minimum residence.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct Residence {
    held: BTreeSet<(u64, PageNo)>,
}

impl Residence {
    /// `page` is to be given away at `until_ns`.
    pub(super) fn hold(&mut self, until_ns: u64, page: PageNo) {
        self.held.insert((until_ns, page));
    }

    /// Forgets that `page` was to be given away at `until_ns`.
    pub(super) fn drop(&mut self, until_ns: u64, page: PageNo) {
        self.held.remove(&(until_ns, page));
    }

    /// When the next page is due.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.held.first().map(|&(until_ns, _)| until_ns)
    }

    /// Takes out a page that is due at `now_ns`.
    pub(super) fn pop_due(&mut self, now_ns: u64) -> Option<PageNo> {
        if self.deadline()? > now_ns {
            return None;
        }
        self.held.pop_first().map(|(_, page)| page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_fall_due_in_the_order_of_their_ends() {
        let mut residence = Residence::default();
        residence.hold(20, PageNo(1));
        residence.hold(10, PageNo(2));
        residence.hold(5, PageNo(3));
        residence.drop(5, PageNo(3));
        assert_eq!(residence.deadline(), Some(10));
        assert_eq!(residence.pop_due(9), None);
        assert_eq!(residence.pop_due(10), Some(PageNo(2)));
        assert_eq!(residence.pop_due(10), None);
        assert_eq!(residence.pop_due(25), Some(PageNo(1)));
        assert_eq!(residence.deadline(), None);
    }
}
