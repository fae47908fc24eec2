//! Which pages must stay for a while although they have been asked for.

use std::collections::{BTreeMap, BTreeSet};

use dstd_addr::PageNo;

/// Pages whose giving away waits, ordered by the end of their minimum residence.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct Residence {
    held: BTreeSet<(u64, PageNo)>,
    ends: BTreeMap<PageNo, u64>,
}

impl Residence {
    /// `page` is to be given away at `until_ns`, and not when it was to be before.
    pub(super) fn hold(&mut self, until_ns: u64, page: PageNo) {
        if let Some(before_ns) = self.ends.insert(page, until_ns) {
            self.held.remove(&(before_ns, page));
        }
        self.held.insert((until_ns, page));
    }

    /// If `page` is to be given away, then at `until_ns`.
    pub(super) fn change(&mut self, until_ns: u64, page: PageNo) {
        if self.ends.contains_key(&page) {
            self.hold(until_ns, page);
        }
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
        let (_, page) = self.held.pop_first()?;
        self.ends.remove(&page);
        Some(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_fall_due_in_the_order_of_their_ends() {
        let mut residence = Residence::default();
        residence.hold(10, PageNo(2));
        residence.hold(5, PageNo(1));
        residence.change(20, PageNo(1));
        residence.change(5, PageNo(3));
        assert_eq!(residence.deadline(), Some(10));
        assert_eq!(residence.pop_due(9), None);
        assert_eq!(residence.pop_due(10), Some(PageNo(2)));
        assert_eq!(residence.pop_due(10), None);
        assert_eq!(residence.pop_due(25), Some(PageNo(1)));
        assert_eq!(residence.deadline(), None);
    }
}
