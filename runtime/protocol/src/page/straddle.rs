//! Pages that stay longer because an instruction may need them with one that is on its way.
//!
//! An instruction that needs two contended pages retires only when both are here. Nodes that
//! each hold one and wait for the other would pass the two round in lockstep. So a page stays
//! while a thread of this node waits for a page *above* it: pages are acquired in order, and
//! the highest is given away after its residence. A bound in time makes sure that nobody waits
//! for ever where a page comes only together with a lower one (read-ahead).

use std::collections::{BTreeMap, BTreeSet};

use dstd_addr::PageNo;

/// How often a page may stay longer before it is given away: an instruction touches few pages.
const EXTENSIONS_MAX: u8 = 4;

/// How many residences a page waits for higher ones at most.
pub(super) const PATIENCE: u64 = 16;

/// A page that stays longer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Stay {
    /// The pages it waits for.
    higher: BTreeSet<PageNo>,
    /// When it goes whatever has come.
    until_ns: u64,
}

/// What threads wait for, and what stays for that.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct Straddle {
    /// Pages that threads of this node have touched and wait for.
    wanted: BTreeSet<PageNo>,
    stays: BTreeMap<PageNo, Stay>,
    /// How often pages have stayed longer since they came.
    extensions: BTreeMap<PageNo, u8>,
}

impl Straddle {
    /// A thread waits for `page`.
    pub(super) fn want(&mut self, page: PageNo) {
        self.wanted.insert(page);
    }

    /// How many pages threads of this node wait for.
    pub(super) fn waiting(&self) -> usize {
        self.wanted.len()
    }

    /// Whether `page`, whose residence is over, stays until higher pages have come, at most
    /// until `until_ns`.
    pub(super) fn stay(&mut self, page: PageNo, until_ns: u64) -> bool {
        let in_vain = self.stays.remove(&page).is_some();
        let higher: BTreeSet<PageNo> = self.wanted.range(page.plus(1)..).copied().collect();
        let extensions = self.extensions.entry(page).or_default();
        if in_vain || higher.is_empty() || *extensions == EXTENSIONS_MAX {
            self.extensions.remove(&page);
            return false;
        }
        *extensions += 1;
        self.stays.insert(page, Stay { higher, until_ns });
        true
    }

    /// `page` has come: the pages that have nothing left to stay for, each with the time until
    /// which it would have stayed.
    pub(super) fn came(&mut self, page: PageNo) -> Vec<(PageNo, u64)> {
        let mut done = Vec::new();
        if self.wanted.remove(&page) {
            self.stays.retain(|&staying, stay| {
                stay.higher.remove(&page);
                if stay.higher.is_empty() {
                    done.push((staying, stay.until_ns));
                }
                !stay.higher.is_empty()
            });
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: PageNo = PageNo(5);

    #[test]
    fn a_page_stays_only_for_higher_ones() {
        let mut straddle = Straddle::default();
        straddle.want(PageNo(4));
        straddle.want(P);
        assert!(!straddle.stay(P, 10));
        straddle.want(PageNo(6));
        assert!(straddle.stay(P, 10));
        assert_eq!(straddle.came(PageNo(4)), []);
        assert_eq!(straddle.came(PageNo(6)), [(P, 10)]);
        assert!(!straddle.stay(P, 20));
    }

    #[test]
    fn what_is_wanted_later_does_not_count_for_a_stay_that_has_begun() {
        let mut straddle = Straddle::default();
        straddle.want(PageNo(6));
        straddle.want(PageNo(7));
        assert!(straddle.stay(P, 10));
        straddle.want(PageNo(8));
        assert_eq!(straddle.came(PageNo(7)), []);
        assert_eq!(straddle.came(PageNo(6)), [(P, 10)]);
    }

    #[test]
    fn a_page_goes_when_its_patience_or_its_extensions_are_over() {
        let mut straddle = Straddle::default();
        straddle.want(PageNo(6));
        assert!(straddle.stay(P, 10));
        assert!(!straddle.stay(P, 20), "nothing came in time");
        for page in 0..u64::from(EXTENSIONS_MAX) {
            straddle.want(PageNo(6 + page));
            assert!(straddle.stay(P, 10));
            assert_eq!(straddle.came(PageNo(6 + page)), [(P, 10)]);
        }
        straddle.want(PageNo(6));
        assert!(!straddle.stay(P, 10));
        assert!(straddle.stay(P, 10), "a new tenancy has new extensions");
    }
}
