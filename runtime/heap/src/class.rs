//! Size classes: which block sizes exist and how they are cut from spans.
//!
//! 16-byte steps to 128, then four classes a doubling up to 32 KiB: at most 25 % of a block is
//! lost to rounding. A span is cut into blocks from its start, and spans begin at multiples of
//! [`UNIT_BYTES`], so a block of a class is aligned to every power of two (up to 4096) that
//! divides the size of the class.

/// How many classes there are.
pub(crate) const CLASSES: usize = 40;
/// The largest size a class serves.
pub(crate) const SMALL_MAX: usize = 32 << 10;
/// The largest alignment a class serves.
pub(crate) const SMALL_ALIGN_MAX: usize = 4096;
/// The granule of the table that maps an address to its class.
pub(crate) const UNIT_BYTES: usize = 1 << UNIT_SHIFT;
/// log2 of [`UNIT_BYTES`].
pub(crate) const UNIT_SHIFT: u32 = 16;

const FINE_MAX: usize = 128;
const TABLE_MAX: usize = 4096;
/// A span may lose this share (1/16) to a rest that holds no block; else it gets another unit.
const WASTE_SHARE: usize = 16;
const UNITS_MAX: usize = 4;

/// A size class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Class(u8);

const SIZES: [u32; CLASSES] = {
    let mut sizes = [0; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        sizes[class] = if class < 8 {
            (class as u32 + 1) * 16
        } else {
            let doubling = (class as u32 - 8) / 4;
            let quarter = (class as u32 - 8) % 4;
            (128 << doubling) + (32 << doubling) * (quarter + 1)
        };
        class += 1;
    }
    assert!(sizes[CLASSES - 1] as usize == SMALL_MAX);
    sizes
};

const UNITS: [u8; CLASSES] = {
    let mut units = [1; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        let size = SIZES[class] as usize;
        while (units[class] as usize) < UNITS_MAX
            && (units[class] as usize * UNIT_BYTES) % size > units[class] as usize * UNIT_BYTES / WASTE_SHARE
        {
            units[class] += 1;
        }
        class += 1;
    }
    units
};

/// Class of each size up to [`TABLE_MAX`], by 16-byte steps.
const TABLE: [u8; TABLE_MAX / 16 + 1] = {
    let mut table = [0; TABLE_MAX / 16 + 1];
    let mut step = 0;
    while step < table.len() {
        let mut class = 0;
        while (SIZES[class] as usize) < step * 16 {
            class += 1;
        }
        table[step] = class as u8;
        step += 1;
    }
    table
};

impl Class {
    /// The class that serves `size` bytes at `align`; `None` when that takes a run of pages.
    #[inline]
    pub(crate) fn of(size: usize, align: usize) -> Option<Class> {
        if align <= 16 {
            return Class::of_size(size);
        }
        Class::of_aligned(size, align)
    }

    /// The class that serves a small `size` at an alignment that every class has: the common case.
    #[inline(always)]
    pub(crate) fn of_common(size: usize, align: usize) -> Option<Class> {
        (size <= TABLE_MAX && align <= 16).then(|| Class(TABLE[size.div_ceil(16)]))
    }

    /// The class with this index.
    pub(crate) fn from_index(index: usize) -> Option<Class> {
        (index < CLASSES).then_some(Class(index as u8))
    }

    /// The place of this class in per-class tables.
    #[inline]
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    /// Bytes of one block.
    #[inline]
    pub(crate) fn size(self) -> usize {
        SIZES[self.index()] as usize
    }

    /// How many units a span of this class takes.
    pub(crate) fn units(self) -> usize {
        UNITS[self.index()] as usize
    }

    /// How many blocks a span holds.
    pub(crate) fn blocks(self) -> usize {
        self.units() * UNIT_BYTES / self.size()
    }

    #[inline]
    fn of_size(size: usize) -> Option<Class> {
        if size <= TABLE_MAX {
            return Some(Class(TABLE[size.div_ceil(16)]));
        }
        if size > SMALL_MAX {
            return None;
        }
        let below = size - 1;
        let log = below.ilog2();
        let quarter = (below >> (log - 2)) & 3;
        Some(Class((8 + (log as usize - FINE_MAX.ilog2() as usize) * 4 + quarter) as u8))
    }

    fn of_aligned(size: usize, align: usize) -> Option<Class> {
        if align > SMALL_ALIGN_MAX {
            return None;
        }
        let first = Class::of_size(size.max(align))?;
        (first.index()..CLASSES)
            .filter_map(Class::from_index)
            .find(|class| class.size().is_multiple_of(align))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_gets_the_smallest_class_that_holds_it() {
        for size in (0..=SMALL_MAX).step_by(if cfg!(miri) { 13 } else { 1 }) {
            let class = Class::of(size, 1).expect("small");
            assert!(class.size() >= size);
            assert!(class.index() == 0 || SIZES[class.index() - 1] < size as u32);
        }
        assert_eq!(Class::of(SMALL_MAX + 1, 1), None);
        assert_eq!(Class::of(usize::MAX, 1), None);
    }

    #[test]
    fn aligned_classes_are_multiples_of_the_alignment() {
        for shift in 0..=12 {
            let align = 1 << shift;
            for size in (0..=SMALL_MAX).step_by(if cfg!(miri) { 997 } else { 7 }) {
                let class = Class::of(size, align).expect("small");
                assert!(class.size() >= size && (align <= 16 || class.size().is_multiple_of(align)));
            }
        }
        assert_eq!(Class::of(16, 8192), None);
    }

    #[test]
    fn spans_lose_little() {
        for class in (0..CLASSES).filter_map(Class::from_index) {
            let span = class.units() * UNIT_BYTES;
            assert!(class.blocks() >= 2 && span - class.blocks() * class.size() <= span / WASTE_SHARE);
        }
    }
}
