//! One end of a link on its way to the node that shall use it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use super::bell::Bell;
use super::layout::{LINE_BYTES, Layout, MAGIC, Side, Sizes};
use super::link::{Link, malformed};
use super::region::Region;
use super::sys;

/// One node's end of a link, before a [`Shm`](super::Shm) takes it.
///
/// Dropping it ends the link, unless its descriptors were handed on.
pub struct LinkEnd {
    side: Side,
    layout: Layout,
    memory: File,
    bell: Bell,
}

impl LinkEnd {
    /// The two ends of a new link, the first one first.
    ///
    /// Both can be used in this process, be inherited by a fork, or be handed to another process
    /// by their descriptors.
    ///
    /// # Errors
    /// When the sizes are out of bounds, or memory or descriptors are exhausted.
    pub fn pair(sizes: Sizes) -> io::Result<(LinkEnd, LinkEnd)> {
        let layout = Layout::new(sizes)?;
        let memory = sys::new_memory(layout.bytes() as u64)?;
        let region = Region::map(&memory, LINE_BYTES)?;
        let values = [MAGIC, u64::from(sizes.slots), u64::from(sizes.bulk_bytes)];
        for (word, value) in region.line(Layout::HEAD).iter().zip(values) {
            word.store(value, Ordering::Relaxed);
        }
        sys::seal(&memory)?;
        let (one, two) = Bell::pair()?;
        let first = LinkEnd { side: Side::First, layout, memory: memory.try_clone()?, bell: one };
        Ok((first, LinkEnd { side: Side::Second, layout, memory, bell: two }))
    }

    /// The memory and the socket, to be passed to the process that shall use this end.
    pub fn into_fds(self) -> (OwnedFd, OwnedFd) {
        (self.memory.into(), self.bell.into_fd())
    }

    /// An end whose descriptors came from elsewhere; `first` says whether it was the first of its
    /// [pair](LinkEnd::pair).
    ///
    /// # Errors
    /// When these are not the descriptors of a link: memory that is sealed against any change of
    /// its length, with sizes within the bounds that agree with its length, and a connected Unix
    /// socket.
    pub fn from_fds(first: bool, memory: OwnedFd, socket: OwnedFd) -> io::Result<LinkEnd> {
        let memory = File::from(memory);
        sys::check_sealed(&memory)?;
        let layout = announced(&memory)?;
        let side = if first { Side::First } else { Side::Second };
        Ok(LinkEnd { side, layout, memory, bell: Bell::from_fd(socket)? })
    }

    /// What it holds in each direction.
    pub fn sizes(&self) -> Sizes {
        self.layout.sizes()
    }

    /// Maps the memory; it stays mapped without its descriptor.
    pub(super) fn into_link(self) -> io::Result<Link> {
        let region = Region::map(&self.memory, self.layout.bytes())?;
        Ok(Link::new(self.side, self.layout, region, self.bell))
    }
}

/// The layout that the head of a sealed file announces; read once, since the peer could change it.
fn announced(memory: &File) -> io::Result<Layout> {
    let bytes = memory.metadata()?.len();
    if bytes < LINE_BYTES as u64 {
        return Err(malformed("the memory is too short"));
    }
    let region = Region::map(memory, LINE_BYTES)?;
    let [magic, slots, bulk_bytes, ..] = region.line(Layout::HEAD);
    if magic.load(Ordering::Relaxed) != MAGIC {
        return Err(malformed("the memory is not that of a link of this version"));
    }
    let size = |word: &AtomicU64| u32::try_from(word.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
    let layout = Layout::new(Sizes { slots: size(slots), bulk_bytes: size(bulk_bytes) })?;
    if bytes != layout.bytes() as u64 {
        return Err(malformed("the length of the memory is not the announced one"));
    }
    Ok(layout)
}
