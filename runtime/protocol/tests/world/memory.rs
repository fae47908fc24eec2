//! The pages of one node as its hardware sees them.

use std::collections::BTreeMap;

use dstd_addr::PageNo;
use dstd_protocol::page::Local;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Memory {
    /// Mapping and word; no word when the bytes are gone.
    pages: BTreeMap<PageNo, (Local, Option<u8>)>,
}

impl Memory {
    /// Pages at their home hold 0, all others are absent.
    pub fn new(homes: impl Iterator<Item = (PageNo, bool)>) -> Memory {
        let page =
            |(page, home)| (page, if home { (Local::Writable, Some(0)) } else { (Local::Absent, None) });
        Memory { pages: homes.map(page).collect() }
    }

    pub fn mapped(&self, page: PageNo) -> Local {
        self.pages.get(&page).map_or(Local::Absent, |&(mapped, _)| mapped)
    }

    pub fn word(&self, page: PageNo) -> Option<u8> {
        self.pages.get(&page).and_then(|&(_, word)| word)
    }

    pub fn write(&mut self, page: PageNo, word: u8) {
        self.pages.insert(page, (Local::Writable, Some(word)));
    }

    /// The bytes to send: they are here and nobody writes them.
    pub fn read_out(&self, first: PageNo, count: u16) -> Result<Vec<Option<u8>>, &'static str> {
        let page = |offset| match self.pages.get(&first.plus(offset)) {
            Some((Local::Writable, _)) => Err("is being written"),
            Some((_, Some(word))) => Ok(Some(*word)),
            _ => Err("is not here"),
        };
        (0..u64::from(count)).map(page).collect()
    }

    pub fn protect(&mut self, first: PageNo, count: u16) -> Result<(), &'static str> {
        self.change(first, count, |_, (mapped, word)| {
            (mapped == Local::Writable).then_some((Local::ReadOnly, word)).ok_or("is not writable")
        })
    }

    pub fn unmap(&mut self, first: PageNo, count: u16) -> Result<(), &'static str> {
        self.change(first, count, |_, (mapped, _)| {
            (mapped != Local::Absent).then_some((Local::Absent, None)).ok_or("is not mapped")
        })
    }

    pub fn upgrade(&mut self, first: PageNo, count: u16) -> Result<(), &'static str> {
        self.change(first, count, |_, (mapped, word)| {
            (mapped == Local::ReadOnly).then_some((Local::Writable, word)).ok_or("is not read-only")
        })
    }

    pub fn install(
        &mut self,
        first: PageNo,
        words: &[Option<u8>],
        writable: bool,
    ) -> Result<(), &'static str> {
        let mapping = if writable { Local::Writable } else { Local::ReadOnly };
        self.change(first, words.len() as u16, |offset, (mapped, _)| {
            (mapped == Local::Absent).then_some((mapping, words[offset])).ok_or("is mapped already")
        })
    }

    fn change(
        &mut self,
        first: PageNo,
        count: u16,
        by: impl Fn(usize, (Local, Option<u8>)) -> Result<(Local, Option<u8>), &'static str>,
    ) -> Result<(), &'static str> {
        for offset in 0..count {
            let page = self.pages.get_mut(&first.plus(u64::from(offset))).ok_or("is no page of this run")?;
            *page = by(usize::from(offset), *page)?;
        }
        Ok(())
    }
}
