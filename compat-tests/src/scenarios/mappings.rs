//! Address space of a node that is used up.

use std::ops::Range;
use std::ptr;

use crate::cluster;

const CHUNK: usize = 1 << 30;
/// More than a node has.
const CHUNKS_MAX: usize = 1_024;

/// Mappings fail when a node has no more addresses for them; they never get those of another node.
pub(crate) fn exhausted() -> String {
    let mut all: Vec<(usize, Range<usize>)> = Vec::new();
    for i in [cluster::size() - 1, 0] {
        let (mapped, error) = cluster::spawn(i, fill).join().unwrap();
        assert_eq!(error, Some(libc::ENOMEM), "after {} chunks", mapped.len());
        assert!(!mapped.is_empty());
        all.extend(mapped.into_iter().map(|range| (i, range)));
        // Both nodes still run threads.
        assert_eq!(cluster::everywhere(|i| i).len(), cluster::size());
    }
    all.sort_by_key(|(_, range)| range.start);
    for pair in all.windows(2) {
        let ((first, a), (second, b)) = (&pair[0], &pair[1]);
        assert!(a.end <= b.start, "{a:x?} of node {first} overlaps {b:x?} of node {second}");
    }
    format!("{} GiB", all.len())
}

/// Maps until it fails: what was mapped, and the error.
#[expect(unsafe_code, reason = "std maps nothing")]
fn fill() -> (Vec<Range<usize>>, Option<i32>) {
    let mut mapped = Vec::new();
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    while mapped.len() < CHUNKS_MAX {
        // SAFETY: a fresh mapping where there is none.
        let at = unsafe { libc::mmap(ptr::null_mut(), CHUNK, libc::PROT_NONE, flags, -1, 0) };
        if at == libc::MAP_FAILED {
            return (mapped, std::io::Error::last_os_error().raw_os_error());
        }
        mapped.push(at.addr()..at.addr() + CHUNK);
    }
    (mapped, None)
}
