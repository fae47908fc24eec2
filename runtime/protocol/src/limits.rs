//! The bounds of messages and engines, each with its reason.

/// The most pages one `PageRequest` names and one `PageGrant` carries: 1 MiB, far past the
/// point where per-message cost matters.
pub const WINDOW_PAGES_MAX: u16 = 256;

/// The most pages that one walk has asked for and not come to: 2 MiB.
pub const AHEAD_PAGES_MAX: u16 = 512;

/// The longest step of a walk that read-ahead follows: faults farther apart have nothing to do
/// with each other more often than not.
pub const STEP_PAGES_MAX: u64 = 64;

/// The most pages that a walk in steps has asked for and not come to: each is a message.
pub const STEPS_AHEAD_MAX: u16 = 16;

/// Streams a node follows at once for read-ahead; more threads than this that
/// stream at the same time get less read-ahead, never a wrong page.
pub const STREAMS_MAX: usize = 8;

/// The most addresses one `Free` carries (64 KiB of body).
pub const FREE_ADDRESSES_MAX: u32 = 8192;

/// The longest body of a `Ship`: a closure, a result, a panic payload (64 MiB).
pub const SHIP_BYTES_MAX: u32 = 64 << 20;

/// One above the largest page number a 64-bit address can have.
pub const PAGE_NO_END: u64 = 1 << (64 - dstd_addr::PAGE_SHIFT);
