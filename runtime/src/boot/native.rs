//! Everything that this node maps from now on lies in its own native slice (HEAP-1).
//!
//! The kernel puts a mapping into the highest gap that fits. So the gaps between the libraries
//! are closed, and the slices above this node's are taken: by themselves, as memory of other
//! nodes that only their owners may use.
//! *Why not safe code*: mmap at chosen addresses.

use std::io;
use std::ops::Range;

use dstd_addr::{Layout, NATIVE_TOP, NodeId};

/// Maps foreign slices and fillers; the calling thread is the only one.
///
/// # Errors
/// What the kernel says.
pub(super) fn set_apart(me: NodeId, nodes: u16) -> io::Result<()> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let ceiling = Layout::native(me).end;
    for gap in gaps(&maps, NATIVE_TOP) {
        map(gap, libc::PROT_NONE)?;
    }
    for node in (0..nodes).map(NodeId).filter(|&node| node != me) {
        for slice in [Layout::native(node), Layout::private(node), Layout::alias(node)] {
            map(slice, libc::PROT_READ | libc::PROT_WRITE)?;
        }
    }
    // What lands above the slice now would have the same address on every node.
    let probe = 64 << 10;
    // SAFETY: a fresh mapping wherever the kernel likes.
    let at = unsafe { libc::mmap(core::ptr::null_mut(), probe, libc::PROT_NONE, ANONYMOUS, -1, 0) };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just mapped, unused.
    unsafe { libc::munmap(at, probe) };
    if !Layout::native(me).contains(&(at as u64)) {
        let text = format!("new mappings land at {at:p} and not below {ceiling:#x}");
        return Err(io::Error::other(text));
    }
    Ok(())
}

const ANONYMOUS: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;

fn map(range: Range<u64>, protection: i32) -> io::Result<()> {
    let len = (range.end - range.start) as usize;
    let at = range.start as *mut libc::c_void;
    // MAP_FIXED: the private and alias slices of others may hold a placeholder of the heap's.
    // SAFETY: nothing of this process lies there: native gaps come from the list of mappings, and
    // the slices of other nodes are never used by this one (HEAP-1).
    let mapped = unsafe { libc::mmap(at, len, protection, ANONYMOUS | libc::MAP_FIXED, -1, 0) };
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
