//! The bounds of messages and engines, each with its reason.

/// The most pages one `PageRequest` names and one `PageGrant` carries: 1 MiB, far past the
/// point where per-message cost matters.
pub const WINDOW_PAGES_MAX: u16 = 256;

/// Sequential streams a node follows at once for read-ahead; more threads than this that
/// stream at the same time get less read-ahead, never a wrong page.
pub const STREAMS_MAX: usize = 8;

/// The most addresses one `Free` carries (64 KiB of body).
pub const FREE_ADDRESSES_MAX: u32 = 8192;

/// The longest body of a `Ship`: a closure, a result, a panic payload (64 MiB).
pub const SHIP_BYTES_MAX: u32 = 64 << 20;

/// One above the largest page number a 64-bit address can have.
pub const PAGE_NO_END: u64 = 1 << (64 - dstd_addr::PAGE_SHIFT);
