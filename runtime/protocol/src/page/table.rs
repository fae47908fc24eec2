//! The state of every touched page, in chunks that exist once one of their pages was touched.

use core::hash::{Hash, Hasher};
use std::collections::BTreeMap;

use dstd_addr::{NodeId, PageNo};

use super::copies::Line;
use super::directory::Directory;

/// log2 of the pages a chunk holds: 256 KiB of memory, 2 KiB of state. A chunk never spans two
/// homes: partitions are far coarser, and nothing global lies beside the statics.
const CHUNK_SHIFT: u32 = 6;
const CHUNK_PAGES: usize = 1 << CHUNK_SHIFT;

/// What the threads of this node may do with a page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Local {
    /// Nothing: a touch faults.
    Absent,
    /// Read; a write faults.
    ReadOnly,
    /// Read and write.
    Writable,
}

/// What a thread wants to do with a page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Access {
    Read,
    Write,
}

impl Access {
    pub(super) fn new(write: bool) -> Access {
        if write { Access::Write } else { Access::Read }
    }

    pub(super) fn writes(self) -> bool {
        self == Access::Write
    }

    /// Whether `local` is enough for this.
    pub(super) fn allowed_by(self, local: Local) -> bool {
        match self {
            Access::Read => local >= Local::ReadOnly,
            Access::Write => local == Local::Writable,
        }
    }
}

/// How the home takes a page from this node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Revoke {
    /// `PageFetch`, not exclusive: give the bytes, keep a read-only copy.
    Share,
    /// `PageFetch`, exclusive: give the bytes, keep nothing.
    Take,
    /// `PageInvalidate`: drop a read-only copy.
    Drop,
    /// `PagePass`: give the bytes to `to`; unless `exclusive` to the home as well, and keep a
    /// read-only copy.
    Pass { to: NodeId, exclusive: bool },
}

impl Revoke {
    /// How the pages are taken that cannot go with the first one of a message.
    pub(super) fn behind(self) -> Revoke {
        match self {
            Revoke::Pass { exclusive: true, .. } => Revoke::Take,
            Revoke::Pass { exclusive: false, .. } => Revoke::Share,
            other => other,
        }
    }

    /// Whether this node keeps a copy that its threads can read.
    pub(super) fn keeps(self) -> bool {
        matches!(self, Revoke::Share | Revoke::Pass { exclusive: false, .. })
    }
}

/// Everything a node knows about one page, apart from the request being served at home.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Entry {
    /// At the home: who holds the page. Elsewhere never changed, never read.
    pub(super) directory: Directory,
    /// End of the minimum residence.
    pub(super) until_ns: u64,
    /// On the first page of a request under way: how many pages it names. 0 on others.
    pub(super) asked: u16,
    /// What threads may do.
    pub(super) local: Local,
    /// The right a request under way asks for.
    pub(super) pending: Option<Access>,
    /// What threads that wait for this pending page want (away from home).
    pub(super) wanted: Option<Access>,
    /// A revocation that waits for the end of the minimum residence (away from home).
    pub(super) revoke: Option<Revoke>,
    /// What was given up unasked, until a grant or what crossed it comes (away from home).
    pub(super) evicted: Option<Local>,
    /// The place among the copies that may be given up (away from home).
    pub(super) line: Line,
}

impl Entry {
    /// The state of a page of `home` that nobody ever touched from afar, seen from `me`.
    pub(super) fn untouched(me: NodeId, home: NodeId) -> Entry {
        Entry {
            directory: Directory::Exclusive(home),
            until_ns: 0,
            asked: 0,
            local: if me == home { Local::Writable } else { Local::Absent },
            pending: None,
            wanted: None,
            revoke: None,
            evicted: None,
            line: Line::Out,
        }
    }
}

#[derive(Clone, Debug)]
struct Chunk {
    untouched: Entry,
    entries: Box<[Entry; CHUNK_PAGES]>,
}

/// Entries by page.
#[derive(Clone, Debug)]
pub(super) struct Table {
    me: NodeId,
    /// Chunk number to its place in `chunks`.
    index: BTreeMap<u64, usize>,
    chunks: Vec<Chunk>,
    /// The last chunk that was changed: threads touch pages in runs.
    last: Option<(u64, usize)>,
}

impl Table {
    pub(super) fn new(me: NodeId) -> Table {
        Table { me, index: BTreeMap::new(), chunks: Vec::new(), last: None }
    }

    /// The state of `page`, whose home is `home`.
    pub(super) fn get(&self, page: PageNo, home: NodeId) -> Entry {
        let (number, slot) = place(page);
        let chunk = match self.last {
            Some((last, chunk)) if last == number => Some(chunk),
            _ => self.index.get(&number).copied(),
        };
        match chunk {
            Some(chunk) => self.chunks[chunk].entries[slot],
            None => Entry::untouched(self.me, home),
        }
    }

    /// The state of `page`, whose home is `home`, to be changed.
    pub(super) fn get_mut(&mut self, page: PageNo, home: NodeId) -> &mut Entry {
        let (number, slot) = place(page);
        let chunk = match self.last {
            Some((last, chunk)) if last == number => chunk,
            _ => {
                let chunk = *self.index.entry(number).or_insert_with(|| {
                    let untouched = Entry::untouched(self.me, home);
                    self.chunks.push(Chunk { untouched, entries: Box::new([untouched; CHUNK_PAGES]) });
                    self.chunks.len() - 1
                });
                self.last = Some((number, chunk));
                chunk
            }
        };
        &mut self.chunks[chunk].entries[slot]
    }

    /// How many pages from `page` on are surely untouched; 0 when it may have been touched.
    pub(super) fn untouched_from(&self, page: PageNo) -> u64 {
        let (number, slot) = place(page);
        if self.index.contains_key(&number) { 0 } else { (CHUNK_PAGES - slot) as u64 }
    }

    /// Entries that differ from those of untouched pages, in page order.
    pub(super) fn touched(&self) -> impl Iterator<Item = (PageNo, &Entry)> {
        self.index.iter().flat_map(|(&number, &chunk)| {
            let chunk = &self.chunks[chunk];
            let first = PageNo(number << CHUNK_SHIFT);
            (0u64..).zip(chunk.entries.iter()).filter_map(move |(slot, entry)| {
                (*entry != chunk.untouched).then_some((first.plus(slot), entry))
            })
        })
    }
}

/// Two tables are equal when they say the same of every page, whatever chunks they have.
impl PartialEq for Table {
    fn eq(&self, other: &Table) -> bool {
        self.me == other.me && self.touched().eq(other.touched())
    }
}

impl Eq for Table {}

impl Hash for Table {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for touched in self.touched() {
            touched.hash(state);
        }
    }
}

fn place(page: PageNo) -> (u64, usize) {
    (page.0 >> CHUNK_SHIFT, (page.0 % CHUNK_PAGES as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_start_untouched_and_keep_what_is_written() {
        let home = NodeId(1);
        let mut table = Table::new(NodeId(1));
        assert_eq!(table.get(PageNo(5), home).local, Local::Writable);
        assert_eq!(table.get(PageNo(5), NodeId(0)).local, Local::Absent);
        table.get_mut(PageNo(5), home).asked = 3;
        table.get_mut(PageNo(1 << 40), home).asked = 4;
        assert_eq!(table.get(PageNo(5), home).asked, 3);
        assert_eq!(table.get(PageNo(6), home).asked, 0);
        assert_eq!((table.untouched_from(PageNo(6)), table.untouched_from(PageNo(64 + 60))), (0, 4));
        let pages: Vec<_> = table.touched().map(|(page, _)| page).collect();
        assert_eq!(pages, [PageNo(5), PageNo(1 << 40)]);
    }

    #[test]
    fn equality_ignores_chunks_that_say_nothing() {
        let home = NodeId(0);
        let (mut one, mut two) = (Table::new(home), Table::new(home));
        one.get_mut(PageNo(900), home);
        assert_eq!(one, two);
        two.get_mut(PageNo(900), home).until_ns = 1;
        assert_ne!(one, two);
    }
}
