//! The striped range: large blocks, of which every node is the home of some stripes.

use core::ops::Range;
use core::sync::atomic::Ordering;
use std::os::fd::RawFd;

use dstd_addr::Layout;

use super::Reservation;
use crate::error::MapError;
use crate::pal;

impl Reservation {
    /// The addresses of large blocks over all nodes.
    pub fn striped_range(&self) -> Range<u64> {
        self.layout().striped()
    }

    /// Outside a coherence domain: leaves the stripes of other nodes out of children of `fork`.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn set_stripes_apart(&self) -> Result<(), MapError> {
        self.foreign_stripes().try_for_each(|stripe| pal::keep_out_of_forks(&stripe))
    }

    /// The stripes whose home is another node; neighbours are one range.
    pub fn foreign_stripes(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        let (layout, whole) = (self.layout(), self.striped_range());
        let round = layout.stripe_bytes() * u64::from(self.nodes);
        let own = layout.stripe_bytes() * u64::from(self.me.0);
        let behind = own + layout.stripe_bytes();
        (whole.start..whole.end)
            .step_by(round.max(1) as usize)
            .flat_map(move |start| [start..start + own, start + behind..start + round])
            .filter(|range| !range.is_empty())
    }

    fn layout(&self) -> Layout {
        Layout::new(self.nodes, [0..0, 0..0]).with_heap_bytes(self.heap_bytes)
    }

    /// Puts the striped range on a file; returns it. In a coherence domain node 0 does this, and the others map its
    /// file; where page faults are served by signals every node has one of its own.
    ///
    /// # Errors
    /// When the kernel refuses the file or the mapping.
    ///
    /// # Safety
    /// - Nothing of the range is in use yet.
    pub unsafe fn share_striped(&self) -> Result<RawFd, MapError> {
        let range = self.striped_range();
        let fd = pal::memfd(range.end - range.start)?;
        // SAFETY: the caller's promise.
        unsafe { self.map_striped(fd) }?;
        Ok(fd)
    }

    /// Maps node 0's file in the place of the striped range. It stays open for children of `fork`.
    ///
    /// # Errors
    /// When the kernel refuses the mapping.
    ///
    /// # Safety
    /// - Nothing of the range is in use yet, and the file is as large as the range.
    pub unsafe fn map_striped(&self, file: RawFd) -> Result<(), MapError> {
        // SAFETY: the range is reserved, and unused by the caller's promise.
        unsafe { pal::shared_view(&self.striped_range(), file) }?;
        self.striped_file.store(file, Ordering::Relaxed);
        Ok(())
    }

    /// The file behind the striped range, where it lies on one: see [`Reservation::share_striped`].
    pub fn striped_file(&self) -> Option<RawFd> {
        Some(self.striped_file.load(Ordering::Relaxed)).filter(|fd| *fd >= 0)
    }
}
