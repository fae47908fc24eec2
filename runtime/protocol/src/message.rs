//! Everything one node says to another.
//!
//! | message | from | to | body | what it does |
//! |---|---|---|---|---|
//! | `PageRequest` | toucher | home | - | asks for pages, to read or to write |
//! | `PageGrant` | home | toucher | pages, unless `upgrade` | hands them out (PAGE-1) |
//! | `PageFetch` | home | owner | - | takes pages back: shared keeps a read-only copy, exclusive keeps nothing |
//! | `PageReturn` | owner | home | pages | answers `PageFetch`, or a part of it |
//! | `PagePass` | home | owner | - | sends pages to `to`, which asked for them; what cannot go with the first comes home as after a `PageFetch` |
//! | `PagePassed` | owner | toucher, and home unless `writable` | pages | answers `PagePass`, or a part of it, and the `PageRequest` |
//! | `PageInstalled` | toucher | home | - | the pages of a `PagePassed` are in use (PAGE-3) |
//! | `PageInvalidate` | home | sharer | - | drops read-only copies |
//! | `PageInvalidated` | sharer | home | - | answers `PageInvalidate`, or a part of it |
//! | `PageEvict` | holder | home | pages, if `exclusive` | gives copies up unasked; answers a `PageFetch`, `PagePass`, `PageInvalidate` or `PageDiscard` that it crosses |
//! | `PageDiscard` | home | holder | - | drops copies of pages whose bytes nobody needs |
//! | `PageDiscarded` | holder | home | - | answers `PageDiscard`, without pages that a `PageEvict` under way names |
//! | `FutexWait` | waiter | home | - | queues a waiter |
//! | `FutexArmed` | home | waiter | - | queued: the waiter now reads the word again, then sleeps |
//! | `FutexCancel` | waiter | home | - | the waiter leaves (value differed, or timeout) |
//! | `FutexCancelled` | home | waiter | - | answers `FutexCancel` |
//! | `FutexWoken` | home | waiter | - | a wake chose this waiter |
//! | `FutexWake` | waker | home | - | wakes up to `count` waiters |
//! | `FutexWakeDone` | home | waker | - | how many were woken |
//! | `Free` | any | home | addresses, 8 bytes each | batched remote free (HEAP-2) |
//! | `Ship` | any | any | owned by the runtime | spawn, exit, call, control: `op` says which |
//!
//! XPORT-1 (FIFO per peer) is what orders a `PageGrant` before the `PageFetch` or
//! `PageInvalidate` that takes the same page away again. Nothing orders a `PagePassed` with what the
//! home sends; there the page is busy until `PageInstalled`.

use dstd_addr::{GlobalAddr, NodeId, PageNo};

/// One message; a body of bytes may travel with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "the fields are explained by the table above")]
pub enum Message {
    PageRequest { first: PageNo, count: u16, write: bool },
    PageGrant { first: PageNo, count: u16, writable: bool, upgrade: bool },
    PageFetch { first: PageNo, count: u16, exclusive: bool },
    PageReturn { first: PageNo, count: u16, exclusive: bool },
    PageInvalidate { first: PageNo, count: u16 },
    PageInvalidated { first: PageNo, count: u16 },
    FutexWait { addr: GlobalAddr, token: u64, bitset: u32 },
    FutexArmed { token: u64 },
    FutexCancel { addr: GlobalAddr, token: u64 },
    FutexCancelled { token: u64, removed: bool },
    FutexWoken { token: u64 },
    FutexWake { addr: GlobalAddr, token: u64, count: u32, bitset: u32 },
    FutexWakeDone { token: u64, woken: u32 },
    Free,
    Ship { op: u16, id: u64, arg: u64 },
    PageEvict { first: PageNo, count: u16, exclusive: bool },
    PageDiscard { first: PageNo, count: u16 },
    PageDiscarded { first: PageNo, count: u16 },
    PagePass { first: PageNo, count: u16, exclusive: bool, to: NodeId },
    PagePassed { first: PageNo, count: u16, writable: bool },
    PageInstalled { first: PageNo, count: u16 },
}

/// The name of a message without its fields, for counters and the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
#[allow(missing_docs, reason = "named like the messages")]
pub enum MessageKind {
    PageRequest,
    PageGrant,
    PageFetch,
    PageReturn,
    PageInvalidate,
    PageInvalidated,
    FutexWait,
    FutexArmed,
    FutexCancel,
    FutexCancelled,
    FutexWoken,
    FutexWake,
    FutexWakeDone,
    Free,
    Ship,
    PageEvict,
    PageDiscard,
    PageDiscarded,
    PagePass,
    PagePassed,
    PageInstalled,
}

impl MessageKind {
    /// Whether the page engine takes it.
    pub const fn is_about_pages(self) -> bool {
        matches!(
            self,
            MessageKind::PageRequest
                | MessageKind::PageGrant
                | MessageKind::PageFetch
                | MessageKind::PageReturn
                | MessageKind::PageInvalidate
                | MessageKind::PageInvalidated
                | MessageKind::PageEvict
                | MessageKind::PageDiscard
                | MessageKind::PageDiscarded
                | MessageKind::PagePass
                | MessageKind::PagePassed
                | MessageKind::PageInstalled
        )
    }

    /// All kinds, in wire order.
    pub const ALL: [MessageKind; 21] = [
        MessageKind::PageRequest,
        MessageKind::PageGrant,
        MessageKind::PageFetch,
        MessageKind::PageReturn,
        MessageKind::PageInvalidate,
        MessageKind::PageInvalidated,
        MessageKind::FutexWait,
        MessageKind::FutexArmed,
        MessageKind::FutexCancel,
        MessageKind::FutexCancelled,
        MessageKind::FutexWoken,
        MessageKind::FutexWake,
        MessageKind::FutexWakeDone,
        MessageKind::Free,
        MessageKind::Ship,
        MessageKind::PageEvict,
        MessageKind::PageDiscard,
        MessageKind::PageDiscarded,
        MessageKind::PagePass,
        MessageKind::PagePassed,
        MessageKind::PageInstalled,
    ];

    /// The name used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            MessageKind::PageRequest => "page_request",
            MessageKind::PageGrant => "page_grant",
            MessageKind::PageFetch => "page_fetch",
            MessageKind::PageReturn => "page_return",
            MessageKind::PageInvalidate => "page_invalidate",
            MessageKind::PageInvalidated => "page_invalidated",
            MessageKind::FutexWait => "futex_wait",
            MessageKind::FutexArmed => "futex_armed",
            MessageKind::FutexCancel => "futex_cancel",
            MessageKind::FutexCancelled => "futex_cancelled",
            MessageKind::FutexWoken => "futex_woken",
            MessageKind::FutexWake => "futex_wake",
            MessageKind::FutexWakeDone => "futex_wake_done",
            MessageKind::Free => "free",
            MessageKind::Ship => "ship",
            MessageKind::PageEvict => "page_evict",
            MessageKind::PageDiscard => "page_discard",
            MessageKind::PageDiscarded => "page_discarded",
            MessageKind::PagePass => "page_pass",
            MessageKind::PagePassed => "page_passed",
            MessageKind::PageInstalled => "page_installed",
        }
    }
}

impl Message {
    /// The pages that a page message names: the first, and how many.
    pub const fn pages(&self) -> Option<(PageNo, u16)> {
        match *self {
            Message::PageRequest { first, count, .. }
            | Message::PageGrant { first, count, .. }
            | Message::PageEvict { first, count, .. }
            | Message::PageDiscard { first, count }
            | Message::PageDiscarded { first, count }
            | Message::PagePass { first, count, .. }
            | Message::PagePassed { first, count, .. }
            | Message::PageInstalled { first, count }
            | Message::PageFetch { first, count, .. }
            | Message::PageReturn { first, count, .. }
            | Message::PageInvalidate { first, count }
            | Message::PageInvalidated { first, count } => Some((first, count)),
            _ => None,
        }
    }

    /// How many pages travel as the body of a page message.
    pub const fn body_pages(&self) -> u16 {
        match *self {
            Message::PageGrant { count, upgrade: false, .. }
            | Message::PageEvict { count, exclusive: true, .. }
            | Message::PageReturn { count, .. }
            | Message::PagePassed { count, .. } => count,
            _ => 0,
        }
    }

    /// The kind of this message.
    pub const fn kind(&self) -> MessageKind {
        match self {
            Message::PageRequest { .. } => MessageKind::PageRequest,
            Message::PageGrant { .. } => MessageKind::PageGrant,
            Message::PageFetch { .. } => MessageKind::PageFetch,
            Message::PageReturn { .. } => MessageKind::PageReturn,
            Message::PageInvalidate { .. } => MessageKind::PageInvalidate,
            Message::PageInvalidated { .. } => MessageKind::PageInvalidated,
            Message::FutexWait { .. } => MessageKind::FutexWait,
            Message::FutexArmed { .. } => MessageKind::FutexArmed,
            Message::FutexCancel { .. } => MessageKind::FutexCancel,
            Message::FutexCancelled { .. } => MessageKind::FutexCancelled,
            Message::FutexWoken { .. } => MessageKind::FutexWoken,
            Message::FutexWake { .. } => MessageKind::FutexWake,
            Message::FutexWakeDone { .. } => MessageKind::FutexWakeDone,
            Message::Free => MessageKind::Free,
            Message::Ship { .. } => MessageKind::Ship,
            Message::PageEvict { .. } => MessageKind::PageEvict,
            Message::PageDiscard { .. } => MessageKind::PageDiscard,
            Message::PageDiscarded { .. } => MessageKind::PageDiscarded,
            Message::PagePass { .. } => MessageKind::PagePass,
            Message::PagePassed { .. } => MessageKind::PagePassed,
            Message::PageInstalled { .. } => MessageKind::PageInstalled,
        }
    }
}
