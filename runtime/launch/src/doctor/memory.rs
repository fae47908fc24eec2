//! Fixed addresses, room for them, and the memory of other nodes.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use dstd_addr::{Layout, NodeId};

use super::probe::{self, Child, Mapping};
use super::{Finding, Wish, host};

/// What allows system calls that a container's filter forbids.
pub(super) const UNFILTERED: &str = "docker run --security-opt seccomp=unconfined";
/// The runtime's own memory shrinks down to this where there is little room.
const PRIVATE_BYTES_MIN: u64 = 64 << 20;

pub(super) fn fixed_addresses() -> Finding {
    let what = "fixed addresses";
    match probe::switch_randomisation_off() {
        Ok(()) => Finding::ok(what, "address randomisation can be switched off"),
        Err(error) => Finding::missing(
            what,
            format!("address randomisation cannot be switched off (personality: {error})"),
        )
        .cured_by(UNFILTERED),
    }
}

/// Maps what a node maps, on memory files and on zero pages, and lets it go.
pub(super) fn address_space(wish: &Wish) -> Finding {
    let what = "address space";
    let result = reserve(wish);
    let Err(error) = result else {
        return Finding::ok(
            what,
            format!("room for {} nodes with {} of heap each", wish.nodes, size(wish.heap_bytes)),
        );
    };
    let words =
        format!("{} nodes with {} of heap each do not fit: {error}", wish.nodes, size(wish.heap_bytes));
    let finding = Finding::missing(what, words);
    let limited = |resource| probe::soft_limit(resource).is_ok_and(|limit| limit != u64::MAX);
    let never = fs::read_to_string("/proc/sys/vm/overcommit_memory").is_ok_and(|text| text.trim() == "2");
    match error.raw_os_error() {
        Some(libc::EFBIG) => finding.cured_by("ulimit -f unlimited"),
        Some(libc::ENOMEM) if limited(libc::RLIMIT_AS) => finding.cured_by("ulimit -v unlimited"),
        Some(libc::ENOMEM) if limited(libc::RLIMIT_DATA) => finding.cured_by("ulimit -d unlimited"),
        Some(libc::ENOMEM) if never => finding.cured_by("sysctl -w vm.overcommit_memory=0"),
        Some(libc::EPERM | libc::EACCES | libc::ENOSYS) if host::is_filtered() => {
            finding.cured_by(UNFILTERED)
        }
        _ => finding,
    }
}

fn reserve(wish: &Wish) -> io::Result<()> {
    let sized = |range: Range<u64>| range.start..range.start + wish.heap_bytes;
    let mut held = Vec::new();
    let file = probe::memory_file(wish.heap_bytes)?;
    held.push(Mapping::of_file(&sized(Layout::heap(NodeId::ZERO)), file.as_fd())?);
    held.push(Mapping::of_file(&sized(Layout::alias(NodeId::ZERO)), file.as_fd())?);
    let private = Layout::private(NodeId::ZERO);
    held.push(Mapping::of_zeros(&(private.start..private.start + PRIVATE_BYTES_MIN))?);
    for node in (0..wish.nodes).map(NodeId) {
        held.push(Mapping::of_zeros(&(Layout::stacks(node).start..Layout::threads(node).end))?);
        if node != NodeId::ZERO {
            held.push(Mapping::of_zeros(&sized(Layout::heap(node)))?);
        }
    }
    if wish.nodes > 1 {
        let striped = Layout::new(wish.nodes, [0..0, 0..0]).with_heap_bytes(wish.heap_bytes).striped();
        held.push(Mapping::of_zeros(&striped)?);
        if !wish.no_direct {
            // Stacks and slots of a node are one file, large blocks over all nodes another.
            let own = Layout::threads(NodeId::ZERO).end - Layout::stacks(NodeId::ZERO).start;
            probe::memory_file(own.max(striped.end - striped.start))?;
        }
    }
    Ok(())
}

fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 30 && bytes % (1 << 30) == 0 => format!("{} GiB", bytes >> 30),
        bytes if bytes % (1 << 20) == 0 => format!("{} MiB", bytes >> 20),
        bytes => format!("{bytes} bytes"),
    }
}

/// Opens a memory file of another process of the same user, as nodes of one host do.
pub(super) fn of_peers(wish: &Wish) -> Finding {
    match open_of_child() {
        Ok(()) => Finding::ok(PEERS, "/proc/PID/fd of own processes can be opened"),
        Err(error) => peers_refused(wish, &error, host::is_filtered()),
    }
}

const PEERS: &str = "memory of peers";

fn peers_refused(wish: &Wish, error: &io::Error, filtered: bool) -> Finding {
    let words = format!("nodes of one host cannot open each other's memory files ({error})");
    let cure = if filtered { UNFILTERED } else { "mount -o remount,hidepid=0 /proc" };
    if wish.no_direct {
        Finding::missing(PEERS, format!("{words}: only without --no-direct they need it"))
            .not_needed()
            .cured_by(cure)
    } else {
        Finding::missing(PEERS, format!("{words}, or run with --no-direct")).cured_by(cure)
    }
}

fn open_of_child() -> io::Result<()> {
    let file = probe::memory_file(4096)?;
    let child = Child::start()?;
    let path = format!("/proc/{}/fd/{}", child.pid(), file.as_raw_fd());
    let opened = File::options().read(true).write(true).open(path)?;
    if same_file(file.as_fd(), opened.as_fd())? {
        Ok(())
    } else {
        Err(io::Error::other("it is another file"))
    }
}

fn same_file(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let inode =
        |fd: BorrowedFd<'_>| Ok::<u64, io::Error>(File::from(fd.try_clone_to_owned()?).metadata()?.ino());
    Ok(inode(one)? == inode(other)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_peers_is_needed_where_it_is_mapped() {
        let error = io::Error::from_raw_os_error(libc::EACCES);
        for no_direct in [false, true] {
            let wish = Wish { nodes: 2, heap_bytes: 1 << 30, no_direct };
            let finding = peers_refused(&wish, &error, true);
            assert_eq!((finding.forbids(), finding.cure.as_deref()), (!no_direct, Some(UNFILTERED)));
        }
    }

    #[test]
    fn sizes_are_told_in_their_unit() {
        assert_eq!([size(128 << 30), size(300 << 20), size(4097)], ["128 GiB", "300 MiB", "4097 bytes"]);
    }
}
