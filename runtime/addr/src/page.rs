//! Global addresses and the pages they lie on.

use core::fmt;

/// log2 of [`PAGE_BYTES`].
pub const PAGE_SHIFT: u32 = 12;
/// The unit of coherence of the page engine.
pub const PAGE_BYTES: u64 = 1 << PAGE_SHIFT;

/// An address that means the same byte on every node (ADDR-1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlobalAddr(pub u64);

impl GlobalAddr {
    /// The page this address lies on.
    pub const fn page(self) -> PageNo {
        PageNo(self.0 >> PAGE_SHIFT)
    }
}

impl fmt::Debug for GlobalAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A page of the common address space: its address divided by [`PAGE_BYTES`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageNo(pub u64);

impl PageNo {
    /// The first address of the page.
    pub const fn addr(self) -> GlobalAddr {
        GlobalAddr(self.0 << PAGE_SHIFT)
    }

    /// The page `pages` further up.
    #[must_use]
    pub const fn plus(self, pages: u64) -> PageNo {
        PageNo(self.0 + pages)
    }
}

impl fmt::Debug for PageNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {:#x}", self.0 << PAGE_SHIFT)
    }
}
