//! Which foreign pages this node holds, in the order in which they should go.
//!
//! The MMU keeps no access bits for the engine, so the order is that of arrival. A page that
//! came again since it was put in line goes round once more (second chance).

use std::collections::VecDeque;

use dstd_addr::PageNo;

/// How many pages one instruction needs at the most: source and destination, each across a
/// border. So many places the bound grows by for each page that threads wait for, so that what
/// one of them brings in does not push out what the others need with theirs.
pub(super) const PAGES_OF_AN_INSTRUCTION: usize = 4;

/// Where a page stands in line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Line {
    /// Nowhere.
    Out,
    /// In line; it may have gone meanwhile.
    In,
    /// In line, and it came again since.
    Again,
}

/// The line, and how many of its pages are held.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct Copies {
    held: usize,
    line: VecDeque<PageNo>,
    /// When a page that could not go yet can.
    pub(super) retry_ns: Option<u64>,
}

impl Copies {
    /// How many foreign pages are held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// How many pages stand in line.
    pub(super) fn len(&self) -> usize {
        self.line.len()
    }

    /// `page`, which was absent, has come; `stands` is its place, and becomes its new one.
    pub(super) fn came(&mut self, page: PageNo, stands: &mut Line) {
        self.held += 1;
        if *stands == Line::Out {
            self.line.push_back(page);
            *stands = Line::In;
        } else {
            *stands = Line::Again;
        }
    }

    /// A held page has become absent. It keeps its place until the line reaches it.
    pub(super) fn gone(&mut self) {
        self.held = self.held.saturating_sub(1);
    }

    /// The page whose turn it is.
    pub(super) fn next(&mut self) -> Option<PageNo> {
        self.line.pop_front()
    }

    /// `page`, whose turn it was, stays.
    pub(super) fn stays(&mut self, page: PageNo) {
        self.line.push_back(page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_stands_in_line_once_and_is_held_as_often_as_it_comes() {
        let mut copies = Copies::default();
        let (mut one, mut two) = (Line::Out, Line::Out);
        copies.came(PageNo(1), &mut one);
        copies.came(PageNo(2), &mut two);
        copies.gone();
        copies.came(PageNo(1), &mut one);
        assert_eq!((copies.held(), copies.len(), one, two), (2, 2, Line::Again, Line::In));
        assert_eq!((copies.next(), copies.next(), copies.next()), (Some(PageNo(1)), Some(PageNo(2)), None));
    }
}
