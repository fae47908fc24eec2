//! What can be configured, read once at start.
//!
//! | variable | set by | meaning |
//! |---|---|---|
//! | `DSTD_RANK`, `DSTD_SIZE`, ... | launcher | membership, see `dstd_control::env` |
//! | `DSTD_PLACEMENT` | `--placement` | where `spawn` puts a thread |
//! | `DSTD_SPREAD` | `--spread` | whether threads that std starts are placed like those |
//! | `DSTD_HEAP_BYTES` | `--heap` | size of this node's heap |
//! | `DSTD_THREADS` | `--threads` | what this node adds to `available_parallelism` |
//! | `DSTD_RESIDENCE_US` | tests | how long a page stays where a fault brought it (microseconds) |
//! | `DSTD_FAULTS` | tests | how page faults are served: `kernel`, `user` or `signal` |
//! | `DSTD_WINDOW` | tests | most pages of one read-ahead request; 1: no read-ahead |
//! | `DSTD_AHEAD` | tests | most pages that a walk asks for before it comes to them |
//! | `DSTD_COPIES` | tests | most pages of other nodes that this node keeps (at least 16) |

use dstd_addr::PAGE_BYTES;
use dstd_control::env::{Options, Placement, Spread};
use dstd_control::stats::FaultService;

/// How long a page that a fault brought in stays, unless told otherwise.
///
/// Below 20 us an instruction over two contended pages gets through several times more slowly; above
/// 30 us every hand-over of a page pays for it (measured, `runtime/docs/bench.md`).
const RESIDENCE_NS: u64 = 30_000;
/// The most pages one read-ahead request asks for: 256 KiB.
const WINDOW_PAGES: u16 = 64;
/// The most pages that a walk asks for before it comes to them: 1 MiB, a few requests under way.
const AHEAD_PAGES: u16 = 256;

/// The configuration of this node.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) placement: Placement,
    pub(crate) spread: Spread,
    pub(crate) private_statics: bool,
    /// Whether it is remembered from where memory was allocated.
    pub(crate) hot_pages: bool,
    /// Whether nodes of one host may map each other's memory.
    pub(crate) direct: bool,
    pub(crate) verbose: bool,
    /// What this node adds to the cluster's parallelism, when told.
    pub(crate) threads: Option<u32>,
    pub(crate) residence_ns: u64,
    pub(crate) window_max: u16,
    pub(crate) ahead_max: u16,
    copies: Option<u64>,
    /// How page faults are served, when told.
    pub(crate) faults: Option<FaultService>,
}

impl Config {
    /// Reads what `options` does not carry from the environment.
    pub(crate) fn new(options: &Options) -> Result<Config, String> {
        let residence_us = number("DSTD_RESIDENCE_US")?;
        let window = number("DSTD_WINDOW")?;
        let window_max = window.map_or(WINDOW_PAGES, |pages| pages.clamp(1, u64::from(WINDOW_PAGES)) as u16);
        // Who wants single pages gets nothing else.
        let ahead_max = if window_max == 1 { 1 } else { AHEAD_PAGES };
        let ahead = number("DSTD_AHEAD")?;
        let faults = match std::env::var("DSTD_FAULTS") {
            Err(std::env::VarError::NotPresent) => None,
            name => {
                let name = name.unwrap_or_default();
                let known = FaultService::ALL.into_iter().find(|service| service.name() == name);
                Some(known.ok_or_else(|| format!("DSTD_FAULTS={name} is none of kernel, user and signal"))?)
            }
        };
        Ok(Config {
            placement: options.placement,
            spread: options.spread,
            private_statics: options.private_statics,
            hot_pages: options.hot_pages,
            direct: !options.no_direct,
            verbose: options.verbose > 0,
            threads: options.threads,
            residence_ns: residence_us.map_or(RESIDENCE_NS, |us| us.saturating_mul(1000)),
            copies: number("DSTD_COPIES")?,
            faults,
            ahead_max: ahead.map_or(ahead_max, |pages| pages.min(u64::from(AHEAD_PAGES)) as u16),
            window_max,
        })
    }
}

/// The least bound of copies: two threads have what one instruction of each needs, and the pages
/// around it, without driving each other's out.
const COPIES_LEAST: u64 = 16;

impl Config {
    /// How many pages of other nodes this node keeps: as much memory as its heap may be.
    pub(crate) fn copies_max(&self, heap_bytes: u64) -> u32 {
        let pages = self.copies.unwrap_or(heap_bytes / PAGE_BYTES);
        u32::try_from(pages.max(COPIES_LEAST)).unwrap_or(u32::MAX)
    }
}

fn number(name: &str) -> Result<Option<u64>, String> {
    match std::env::var(name) {
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(format!("{name} is not a number")),
        Ok(text) => text.parse().map(Some).map_err(|_| format!("{name}={text} is not a number")),
    }
}
