//! The ranges of native stacks as mappings.
//!
//! Own slots are private memory. With `--no-direct` the page engine serves the program's thread-locals in them as
//! it serves stacks. In a coherence domain those pages lie on the file of the node's stacks, behind them, and the
//! other nodes map that file: what no thread has written there has no page in it, and a touch of that is reported.
//!
//! *Invariants*: ADDR-1, HEAP-1. *Layout*: byte `a` of the file is address `a` from the start of the stacks.
//! *Who may touch what, when*: as in the parent module. *Why not safe code*: mappings at chosen addresses.

use core::ops::Range;
use core::sync::atomic::{AtomicI32, Ordering};
use std::io;
use std::os::fd::RawFd;

use dstd_addr::{Layout, NODES_MAX, NodeId, STACKS_BYTES, THREADS_BYTES};

use super::slots;
use crate::context;

/// In a coherence domain: the files of all nodes' stacks.
static FILES: [AtomicI32; NODES_MAX as usize] = [const { AtomicI32::new(-1) }; NODES_MAX as usize];

const ACCESSIBLE: i32 = libc::PROT_READ | libc::PROT_WRITE;
const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;

/// Maps the ranges of all nodes: memory that nobody has used yet. The calling thread is the only one.
///
/// # Errors
/// What the kernel says.
pub(crate) fn reserve(me: NodeId, nodes: u16) -> io::Result<()> {
    for node in (0..nodes).map(NodeId) {
        let range = Layout::threads(node);
        // SAFETY: replaces no mapping.
        unsafe { map(&range, ACCESSIBLE, PRIVATE | libc::MAP_FIXED_NOREPLACE, -1, 0) }?;
        if node != me {
            advise(&range, libc::MADV_DONTFORK)?;
            advise(&range, libc::MADV_DONTDUMP)?;
        }
    }
    Ok(())
}

/// In a coherence domain: this node's file, for slots that are cut from now on.
///
/// # Errors
/// What the kernel says.
pub(crate) fn offer(me: NodeId, fd: RawFd) -> io::Result<()> {
    // SAFETY: no memory is passed; the caller's descriptor is open.
    if unsafe { libc::ftruncate(fd, (STACKS_BYTES + THREADS_BYTES) as libc::off_t) } != 0 {
        return Err(io::Error::last_os_error());
    }
    FILES[me.index()].store(fd, Ordering::Release);
    Ok(())
}

/// In a coherence domain: maps another node's file in the place of its range.
///
/// # Errors
/// What the kernel says.
pub(crate) fn map_peer(node: NodeId, fd: RawFd) -> io::Result<()> {
    FILES[node.index()].store(fd, Ordering::Release);
    let range = Layout::threads(node);
    // SAFETY: the range of another node, of which this process has used no byte yet (HEAP-1).
    unsafe { view(node, &range, ACCESSIBLE, libc::MAP_SHARED) }?;
    advise(&range, libc::MADV_DONTDUMP)?;
    no_huge_pages(&range)
}

/// In a coherence domain, where no touch can be reported: leaves only pages accessible that can be
/// thread-locals of the program, of the first slots.
///
/// # Errors
/// What the kernel says.
pub(crate) fn unguarded(me: NodeId, layout: &Layout) -> io::Result<()> {
    let peers = || (0..layout.nodes()).map(NodeId).filter(move |&node| node != me);
    for node in peers() {
        let range = Layout::threads(node);
        // SAFETY: as in `map_peer`.
        unsafe { map(&range, libc::PROT_NONE, PRIVATE | libc::MAP_FIXED, -1, 0) }?;
        for slot in 0..OPEN_SLOTS / u64::from(layout.nodes()) {
            let Some(locals) = layout.locals_beside(range.start + slot * layout.slots().bytes) else {
                continue;
            };
            // SAFETY: as in `map_peer`.
            unsafe { view(node, &locals, ACCESSIBLE, libc::MAP_SHARED) }?;
        }
    }
    Ok(())
}

/// Each costs two mappings, of which Linux allows a process some 65000.
const OPEN_SLOTS: u64 = 4096;

/// In a coherence domain: puts the thread-locals of a new slot of this node on its file.
pub(super) fn map_own(locals: &Range<u64>) -> io::Result<()> {
    let me = context::me();
    if FILES[me.index()].load(Ordering::Acquire) < 0 {
        return Ok(());
    }
    // SAFETY: pages of a slot that nobody uses yet.
    unsafe { view(me, locals, ACCESSIBLE, libc::MAP_SHARED) }?;
    advise(locals, libc::MADV_DONTFORK)?;
    no_huge_pages(locals)
}

/// The file that holds the thread-locals of `node`, from [`STACKS_BYTES`] on.
pub(crate) fn file(node: NodeId) -> Option<RawFd> {
    let file = FILES[node.index()].load(Ordering::Acquire);
    (file >= 0).then_some(file)
}

/// Calls `each` with all own thread-locals that lie on a file, the file, and where in it.
///
/// # Errors
/// The first that `each` returns.
pub(crate) fn each_own<E>(
    layout: &Layout,
    mut each: impl FnMut(&Range<u64>, RawFd, u64) -> Result<(), E>,
) -> Result<(), E> {
    let me = context::me();
    let Some(file) = file(me) else { return Ok(()) };
    for slot in 0..slots::cut() {
        let start = Layout::threads(me).start + slot * layout.slots().bytes;
        match layout.locals_beside(start) {
            Some(locals) if !locals.is_empty() => {
                each(&locals, file, locals.start - Layout::stacks(me).start)?
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

/// Maps `range`, which lies in the threads of `node`, from its file.
///
/// # Safety
/// - Nobody relies on what is mapped at `range`.
unsafe fn view(node: NodeId, range: &Range<u64>, protection: i32, kind: i32) -> io::Result<()> {
    if range.is_empty() {
        return Ok(());
    }
    let fd = FILES[node.index()].load(Ordering::Acquire);
    let offset = range.start - Layout::stacks(node).start;
    // SAFETY: the caller's promise.
    unsafe { map(range, protection, kind | libc::MAP_NORESERVE | libc::MAP_FIXED, fd, offset) }
}

/// # Safety
/// - With `MAP_FIXED`: nobody relies on what is mapped at `range`.
unsafe fn map(range: &Range<u64>, protection: i32, flags: i32, fd: RawFd, offset: u64) -> io::Result<()> {
    let (at, len) = (range.start as *mut libc::c_void, (range.end - range.start) as usize);
    // SAFETY: the caller's promise.
    let mapped = unsafe { libc::mmap(at, len, protection, flags, fd, offset as libc::off_t) };
    if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A huge page of the file would also hold what lies beside the thread-locals, and nobody would notice a touch of
/// that.
fn no_huge_pages(range: &Range<u64>) -> io::Result<()> {
    match advise(range, libc::MADV_NOHUGEPAGE) {
        // A kernel without huge pages does not know the advice, and needs none.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        other => other,
    }
}

/// Advice on forks, dumps and huge pages leaves the contents alone.
fn advise(range: &Range<u64>, advice: i32) -> io::Result<()> {
    if range.is_empty() {
        return Ok(());
    }
    let (at, len) = (range.start as *mut libc::c_void, (range.end - range.start) as usize);
    // SAFETY: see above; the range is one of ours.
    if unsafe { libc::madvise(at, len, advice) } != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
