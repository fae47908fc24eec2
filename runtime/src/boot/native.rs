//! Everything that this node maps from now on lies in its own native slice (HEAP-1).
//!
//! The kernel puts a mapping into the highest gap that fits. So every gap of the address space
//! is closed but this node's slice: those of other nodes by memory that only their owners may use.
//! When the slice is full, mappings fail; they never reach an address that another node uses too.
//! *Why not safe code*: mmap at chosen addresses.

use std::io;
use std::ops::Range;

use dstd_addr::{Layout, NATIVE_TOP, NodeId};

/// Maps foreign slices and fillers; the calling thread is the only one.
///
/// # Errors
/// What the kernel says.
pub(super) fn set_apart(me: NodeId, nodes: u16) -> io::Result<()> {
    for node in (0..nodes).map(NodeId).filter(|&node| node != me) {
        map(Layout::native(node), ACCESSIBLE, libc::MAP_FIXED_NOREPLACE).map_err(|error| {
            let text = format!(
                "the slice of node {node} is in use ({error}): libraries or constructors of this \
                 program map more than {} MiB before main",
                (LIBRARIES_END - NATIVE_TOP) >> 20
            );
            io::Error::new(error.kind(), text)
        })?;
        for slice in [Layout::private(node), Layout::alias(node)] {
            // The heap's own placeholder may lie there.
            map(slice, ACCESSIBLE, libc::MAP_FIXED)?;
        }
    }
    let own = Layout::native(me);
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    for gap in gaps(&maps, LOWEST) {
        for part in [gap.start..gap.end.min(own.start), gap.start.max(own.end)..gap.end] {
            if part.start < part.end {
                map(part, libc::PROT_NONE, libc::MAP_FIXED_NOREPLACE)?;
            }
        }
    }
    check(&own)
}

/// Makes the slices of other nodes inaccessible, where nobody watches them.
///
/// # Errors
/// What the kernel says.
pub(super) fn forbid(me: NodeId, nodes: u16) -> io::Result<()> {
    for node in (0..nodes).map(NodeId).filter(|&node| node != me) {
        for slice in [Layout::native(node), Layout::private(node), Layout::alias(node)] {
            map(slice, libc::PROT_NONE, libc::MAP_FIXED)?;
        }
    }
    Ok(())
}

/// What lands outside the slice now could have the same address on every node.
fn check(own: &Range<u64>) -> io::Result<()> {
    let probe = 64 << 10;
    // SAFETY: a fresh mapping wherever the kernel likes.
    let at = unsafe { libc::mmap(core::ptr::null_mut(), probe, libc::PROT_NONE, ANONYMOUS, -1, 0) };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just mapped, unused.
    unsafe { libc::munmap(at, probe) };
    if !own.contains(&(at as u64)) {
        return Err(io::Error::other(format!("new mappings land at {at:p} and not in {own:#x?}")));
    }
    Ok(())
}

const ANONYMOUS: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
const ACCESSIBLE: i32 = libc::PROT_READ | libc::PROT_WRITE;
/// Below this Linux maps nothing (`vm.mmap_min_addr`).
const LOWEST: u64 = 0x1_0000;
/// Where libraries begin to be mapped, downwards, without address randomisation.
const LIBRARIES_END: u64 = 0x7fff_f7ff_f000;

fn map(range: Range<u64>, protection: i32, fixed: i32) -> io::Result<()> {
    let len = (range.end - range.start) as usize;
    let at = range.start as *mut libc::c_void;
    // SAFETY: replaces nothing, or (MAP_FIXED) only a slice of another node, of which this process
    // uses no byte (HEAP-1).
    let mapped = unsafe { libc::mmap(at, len, protection, ANONYMOUS | fixed, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just mapped by us. A child of fork shall not inherit it.
    unsafe { libc::madvise(at, len, libc::MADV_DONTFORK) };
    Ok(())
}

/// The unmapped ranges from `bottom` up to the highest mapping below the initial stack.
fn gaps(maps: &str, bottom: u64) -> Vec<Range<u64>> {
    let mut taken: Vec<Range<u64>> = maps
        .lines()
        .filter(|line| !line.ends_with("[stack]") && !line.ends_with("[vsyscall]"))
        .filter_map(|line| {
            let (range, _) = line.split_once(' ')?;
            let (start, end) = range.split_once('-')?;
            Some(u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?)
        })
        .filter(|range| range.start >= bottom)
        .collect();
    taken.sort_by_key(|range| range.start);
    let mut gaps = Vec::new();
    let mut at = bottom;
    for range in taken {
        if range.start > at {
            gaps.push(at..range.start);
        }
        at = at.max(range.end);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_lie_between_the_mappings_and_leave_the_stack_alone() {
        let maps = "\
555555554000-555555556000 r--p 00000000 08:01 1 /bin/x
7ffff7d00000-7ffff7d10000 r--p 00000000 08:01 2 /lib/libc.so.6
7ffff7d20000-7ffff7fff000 rw-p 00000000 00:00 0
7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";
        assert_eq!(
            gaps(maps, 0x7fff_e000_0000),
            [0x7fff_e000_0000..0x7fff_f7d0_0000, 0x7fff_f7d1_0000..0x7fff_f7d2_0000]
        );
    }
}
