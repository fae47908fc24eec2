//! The memory in which the runtime of this node counts, which it shares with the launcher.

use std::fs::{File, read_to_string};
use std::io;
use std::os::unix::fs::FileExt;

/// The counters of the calling thread's node, as bytes of a `dstd_control::stats::Stats`.
#[derive(Debug)]
pub struct Block {
    memory: File,
    at: u64,
}

impl Block {
    /// Where this node has mapped them; nothing where no launcher counts.
    pub fn address() -> Option<u64> {
        let maps = read_to_string("/proc/self/maps").ok()?;
        let line = maps.lines().find(|line| line.contains("memfd:dstd-stats"))?;
        u64::from_str_radix(line.split('-').next()?, 16).ok()
    }

    /// Those at an address that [`Block::address`] has told on this node.
    ///
    /// # Errors
    /// When no file can be opened.
    pub fn at(at: u64) -> io::Result<Block> {
        Ok(Block { memory: File::open("/proc/self/mem")?, at })
    }

    /// The number that lies so many bytes behind the first. Touches no heap.
    ///
    /// # Errors
    /// When nothing is mapped there.
    pub fn word(&self, offset: usize) -> io::Result<u64> {
        let mut number = [0; 8];
        self.memory.read_exact_at(&mut number, self.at + offset as u64)?;
        Ok(u64::from_le_bytes(number))
    }
}
