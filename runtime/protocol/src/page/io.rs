//! What enters and leaves the page engine.

use dstd_addr::{Layout, NodeId, PageNo};

use crate::Message;

/// What a page engine is told once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The node this engine runs on.
    pub me: NodeId,
    /// Where the partitions and shared statics lie.
    pub layout: Layout,
    /// How long a page that a fault brought in stays before it is given away (ns).
    pub residence_ns: u64,
    /// The most pages one request asks for (1 = no read-ahead).
    pub window_max: u16,
    /// The most pages that a walk asks for before it comes to them, in requests of
    /// `window_max` (not more than that = one request at a time).
    pub ahead_max: u16,
    /// The most foreign pages this node holds at once; without it as many as come. Pages that
    /// may not go yet (residence, requests under way) and four for each page that threads wait
    /// for come on top.
    pub copies_max: Option<u32>,
}

/// Everything that can happen to a page engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// A thread of this node touched `page` and stopped: it wants to read or to write.
    /// The driver hands over every event, also repeated and outdated ones.
    Fault {
        /// The touched page; its home is known (the driver stops the program otherwise).
        page: PageNo,
        /// Whether the thread wants to write.
        write: bool,
        /// Which thread of this node; the driver's number for it.
        thread: u32,
    },
    /// The answer to [`Output::Watch`].
    Ran {
        /// The thread.
        thread: u32,
        /// Whether it had not when it was asked for.
        late: bool,
    },
    /// A thread has got beyond all that it faulted on: it has made a request of another kind.
    Retired {
        /// The thread.
        thread: u32,
    },
    /// A message of another node; the driver keeps its body until the step has returned.
    Message {
        /// The sender.
        from: NodeId,
        /// Only the page messages.
        message: Message,
    },
    /// Nobody needs the bytes of these own pages any more (freed memory). Answered by
    /// [`Output::Discarded`]; until then their owner leaves them alone.
    Discard {
        /// The first page.
        first: PageNo,
        /// How many, all of one region.
        count: u32,
        /// Names the discard; unique among those under way.
        token: u64,
    },
    /// Time went by: [`crate::page::PageEngine::deadline`] has been reached.
    Tick,
}

/// The bytes that travel with a message the engine sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    /// None.
    None,
    /// The pages named by the message, read from this node's memory now (before the next output).
    Pages,
    /// The body of the message that is being processed, passed on as it is.
    Received,
}

/// What the driver does, in this order. It decides nothing about coherence itself.
///
/// The messages of a step leave together, after all of its outputs: a receiver that may write
/// must not hear of it while threads here can still read (PAGE-1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send a message.
    Send {
        /// The receiver, never this node.
        to: NodeId,
        /// What to say.
        message: Message,
        /// What travels with it.
        body: Body,
    },
    /// Make mapped, writable pages read-only. When it returns no thread of this node writes.
    Protect {
        /// First page.
        first: PageNo,
        /// How many.
        count: u16,
    },
    /// Take mapped pages away, so that the next touch of a thread faults. The bytes may be
    /// forgotten. A `Send` with [`Body::Pages`] comes before it when they are still needed.
    Unmap {
        /// First page.
        first: PageNo,
        /// How many.
        count: u16,
    },
    /// Map absent pages with the bytes of the message being processed (page `skip` of its
    /// body is the first) and wake the threads that wait for them.
    Install {
        /// First page.
        first: PageNo,
        /// How many.
        count: u16,
        /// Whether threads may write.
        writable: bool,
        /// How many pages of the body to leave out.
        skip: u16,
    },
    /// Make mapped, read-only pages writable and wake the threads that wait for it.
    Upgrade {
        /// First page.
        first: PageNo,
        /// How many.
        count: u16,
    },
    /// The page is already good enough for what was touched: make the hardware agree with
    /// that (map it as `writable` says if need be) and wake the threads that wait.
    Resolve {
        /// The page.
        page: PageNo,
        /// The right this node has.
        writable: bool,
    },
    /// Own pages that no other node holds: forget their bytes (they read as zeros from now on),
    /// let threads of this node write, and wake those that wait for them.
    Fresh {
        /// First page.
        first: PageNo,
        /// How many.
        count: u32,
    },
    /// Say [`Input::Ran`] once this thread has run since it was last woken from a fault, at once
    /// if it has already. No answer is needed when it faults again before, or after
    /// [`PageEngine::patience_ns`](super::PageEngine::patience_ns).
    Watch {
        /// The thread.
        thread: u32,
    },
    /// All pages of the discard are fresh.
    Discarded {
        /// The token of the discard.
        token: u64,
    },
}
