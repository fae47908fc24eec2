//! Descriptors of the runtime: no other node may name them.

use core::sync::atomic::{AtomicU64, Ordering};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::c_int;

use super::super::fillers::is_close_on_exec;
use super::super::foreign::is_own;
use super::super::stride::STRIDE_MAX;

/// More descriptors than a node has.
const BITS: usize = STRIDE_MAX as usize;

/// One bit for each descriptor of this node's range. Set before the number is known to anybody: hence Relaxed.
static PRIVATE: [AtomicU64; BITS / 64] = [const { AtomicU64::new(0) }; BITS / 64];

/// Whether `fd`, one of this node's, is the runtime's.
pub(super) fn is_private(fd: c_int) -> bool {
    let at = place(fd);
    PRIVATE[at / 64].load(Ordering::Relaxed) & 1 << (at % 64) != 0
}

/// From now on `fd`, one of this node's, is the runtime's.
pub(crate) fn set_private(fd: c_int) {
    let at = place(fd);
    PRIVATE[at / 64].fetch_or(1 << (at % 64), Ordering::Relaxed);
}

/// A node's numbers are apart by at most [`BITS`].
fn place(fd: c_int) -> usize {
    fd as usize % BITS
}

/// Boot, before the program runs: what is open now is the runtime's, except `passing`, which is closed when the program
/// starts, and what the program was started with, which by its nature stays open when a program is executed.
///
/// # Errors
/// `/proc` cannot be read.
pub(crate) fn keep_private(passing: BorrowedFd<'_>) -> io::Result<()> {
    let names: Vec<_> = std::fs::read_dir("/proc/self/fd")?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<_>>()?;
    // The directory itself is closed by now, and no longer counts.
    names
        .iter()
        .filter_map(|name| name.to_str()?.parse().ok())
        .filter(|&fd| fd != passing.as_raw_fd() && is_own(fd) && is_close_on_exec(fd))
        .for_each(set_private);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_is_private_once_it_is_said() {
        let fd = (BITS - 1) as c_int;
        assert!(!is_private(fd));
        set_private(fd);
        assert!(is_private(fd));
        assert!(!is_private(fd - 1));
    }
}
