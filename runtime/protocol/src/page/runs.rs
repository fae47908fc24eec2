//! Pages that follow one another, gathered into messages and outputs for many.

use dstd_addr::PageNo;

use crate::limits::WINDOW_PAGES_MAX;

/// Pages in a row that have `K` in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run<K> {
    pub(super) key: K,
    pub(super) first: PageNo,
    pub(super) count: u16,
}

/// Adds `page` to the last run when it follows that run's pages and has the same `key`, or
/// begins another run. Pages have to come in order to be gathered.
pub(super) fn gather<K: PartialEq>(runs: &mut Vec<Run<K>>, page: PageNo, key: K) {
    gather_few(runs, page, key, WINDOW_PAGES_MAX);
}

/// Like [`gather`], into runs of at most `most` pages.
pub(super) fn gather_few<K: PartialEq>(runs: &mut Vec<Run<K>>, page: PageNo, key: K, most: u16) {
    match runs.last_mut() {
        Some(run) if run.key == key && run.count < most && run.first.plus(u64::from(run.count)) == page => {
            run.count += 1;
        }
        _ => runs.push(Run { key, first: page, count: 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_at_gaps_at_other_keys_and_at_the_longest_message() {
        let mut runs = Vec::new();
        for (page, key) in [(1, 'a'), (2, 'a'), (3, 'b'), (5, 'b')] {
            gather(&mut runs, PageNo(page), key);
        }
        let run = |key, first, count| Run { key, first: PageNo(first), count };
        assert_eq!(runs, [run('a', 1, 2), run('b', 3, 1), run('b', 5, 1)]);
        let mut runs = Vec::new();
        (0..=u64::from(WINDOW_PAGES_MAX)).for_each(|page| gather(&mut runs, PageNo(page), ()));
        assert_eq!(runs.iter().map(|run| run.count).collect::<Vec<_>>(), [WINDOW_PAGES_MAX, 1]);
    }
}
