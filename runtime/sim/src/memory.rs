//! The memory of one node: pages of a few words and how they are mapped.
//!
//! It is strict: whoever asks for something the mapping does not allow ends the run.

use std::collections::BTreeMap;

use dstd_addr::{GlobalAddr, Layout, NodeId, PAGE_BYTES, PageNo};

use crate::failure::{Broken, Checked, Rule};

/// How many words of a page are modelled.
pub(crate) const WORDS: usize = 8;

/// The bytes of a page.
pub(crate) type Image = [u64; WORDS];

/// What the hardware lets threads do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Mapping {
    Absent,
    ReadOnly,
    Writable,
}

#[derive(Clone, Debug)]
struct Page {
    mapping: Mapping,
    image: Image,
}

#[derive(Clone, Debug)]
pub(crate) struct Memory {
    me: NodeId,
    layout: Layout,
    pages: BTreeMap<PageNo, Page>,
}

impl Memory {
    pub(crate) fn new(me: NodeId, layout: Layout) -> Memory {
        Memory { me, layout, pages: BTreeMap::new() }
    }

    /// Every page that was ever touched here.
    pub(crate) fn touched(&self) -> impl Iterator<Item = PageNo> {
        self.pages.keys().copied()
    }

    pub(crate) fn mapping(&self, page: PageNo) -> Mapping {
        self.pages.get(&page).map_or_else(|| self.mapping_at_birth(page), |page| page.mapping)
    }

    /// A page is born writable at its home, and absent elsewhere.
    fn mapping_at_birth(&self, page: PageNo) -> Mapping {
        if self.layout.home(page) == Some(self.me) { Mapping::Writable } else { Mapping::Absent }
    }

    fn page(&mut self, page: PageNo) -> Checked<&mut Page> {
        if self.layout.home(page).is_none() {
            return Err(self.refuse(page, "named, but it has no home"));
        }
        let mapping = self.mapping_at_birth(page);
        Ok(self.pages.entry(page).or_insert(Page { mapping, image: [0; WORDS] }))
    }

    fn refuse(&self, page: PageNo, what: &str) -> Broken {
        Broken::new(Rule::Mapping, format!("node {}: {page:?} is {what}", self.me))
    }

    /// Changes the mapping from `before` to `after`.
    fn remap(&mut self, page: PageNo, before: &[Mapping], after: Mapping, deed: &str) -> Checked<&mut Image> {
        let found = self.page(page)?.mapping;
        if !before.contains(&found) {
            return Err(self.refuse(page, &format!("{found:?} when it is {deed}")));
        }
        let page = self.page(page)?;
        page.mapping = after;
        Ok(&mut page.image)
    }

    pub(crate) fn protect(&mut self, page: PageNo) -> Checked {
        self.remap(page, &[Mapping::Writable], Mapping::ReadOnly, "protected").map(|_| ())
    }

    /// Takes the page away; its bytes are forgotten.
    pub(crate) fn unmap(&mut self, page: PageNo) -> Checked {
        let mapped = [Mapping::ReadOnly, Mapping::Writable];
        *self.remap(page, &mapped, Mapping::Absent, "unmapped")? = [u64::MAX; WORDS];
        Ok(())
    }

    pub(crate) fn install(&mut self, page: PageNo, image: &Image, writable: bool) -> Checked {
        let after = if writable { Mapping::Writable } else { Mapping::ReadOnly };
        *self.remap(page, &[Mapping::Absent], after, "installed")? = *image;
        Ok(())
    }

    pub(crate) fn upgrade(&mut self, page: PageNo) -> Checked {
        self.remap(page, &[Mapping::ReadOnly], Mapping::Writable, "upgraded").map(|_| ())
    }

    /// The home forgets the bytes of its page, whatever the mapping is.
    pub(crate) fn fresh(&mut self, page: PageNo) -> Checked {
        if self.mapping_at_birth(page) != Mapping::Writable {
            return Err(self.refuse(page, "another node's when it is made fresh"));
        }
        *self.page(page)? = Page { mapping: Mapping::Writable, image: [0; WORDS] };
        Ok(())
    }

    /// What sabotage does: the bytes of before.
    pub(crate) fn restore(&mut self, page: PageNo, image: Image) -> Checked {
        self.page(page)?.image = image;
        Ok(())
    }

    /// The engine believes that the page is mapped like this.
    pub(crate) fn resolve(&mut self, page: PageNo, writable: bool) -> Checked {
        let believed = if writable { Mapping::Writable } else { Mapping::ReadOnly };
        self.remap(page, &[believed], believed, &format!("believed to be {believed:?}")).map(|_| ())
    }

    /// The bytes of a mapped page.
    pub(crate) fn image(&mut self, page: PageNo) -> Checked<Image> {
        match self.page(page)? {
            Page { mapping: Mapping::Absent, .. } => Err(self.refuse(page, "absent when it is sent")),
            Page { image, .. } => Ok(*image),
        }
    }

    /// What a thread reads.
    pub(crate) fn load(&mut self, addr: GlobalAddr) -> Checked<u64> {
        Ok(self.image(addr.page())?[index(addr)])
    }

    /// What a thread writes.
    pub(crate) fn store(&mut self, addr: GlobalAddr, value: u64) -> Checked {
        let page = self.page(addr.page())?;
        if page.mapping != Mapping::Writable {
            return Err(self.refuse(addr.page(), "not writable when it is written"));
        }
        page.image[index(addr)] = value;
        Ok(())
    }
}

/// Which word of its page `addr` is.
pub(crate) fn index(addr: GlobalAddr) -> usize {
    (addr.0 % PAGE_BYTES / 8) as usize
}

/// The address of word `index` of `page`.
pub(crate) fn word(page: PageNo, index: usize) -> GlobalAddr {
    GlobalAddr(page.addr().0 + 8 * index as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> (Memory, PageNo, PageNo) {
        let page = |node| GlobalAddr(Layout::heap(NodeId(node)).start).page();
        (Memory::new(NodeId(0), Layout::new(2, [0..0, 0..0])), page(0), page(1))
    }

    #[test]
    fn accesses_follow_the_mapping() {
        let (mut memory, own, foreign) = memory();
        assert!(memory.load(word(foreign, 0)).is_err());
        memory.store(word(own, 3), 5).expect("born writable at home");
        memory.protect(own).expect("it is writable");
        assert_eq!(memory.load(word(own, 3)).expect("it is mapped"), 5);
        assert!(memory.store(word(own, 3), 6).is_err());
        memory.upgrade(own).expect("it is read-only");
        memory.store(word(own, 3), 6).expect("it is writable");
        memory.unmap(own).expect("it is mapped");
        assert!(memory.image(own).is_err());
    }

    #[test]
    fn mappings_change_only_as_agreed() {
        let (mut memory, own, foreign) = memory();
        let image = [7; WORDS];
        assert!(memory.install(own, &image, true).is_err());
        assert!(memory.upgrade(own).is_err());
        assert!(memory.resolve(own, false).is_err());
        assert!(memory.protect(foreign).is_err() && memory.unmap(foreign).is_err());
        memory.install(foreign, &image, false).expect("it is absent");
        assert!(memory.protect(foreign).is_err());
        memory.resolve(foreign, false).expect("it is read-only");
        assert_eq!(memory.image(foreign).expect("it is mapped"), image);
        assert!(memory.image(PageNo(1)).is_err());
    }
}
