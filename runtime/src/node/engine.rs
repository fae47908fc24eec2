//! Everything the engine thread owns, what it hears from other nodes, and where it looks and sleeps in its rounds.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use dstd_addr::NodeId;
use dstd_protocol::futex::{self, FutexEngine};
use dstd_protocol::page::{self, PageEngine};
use dstd_protocol::{Message, MessageKind, codec};
use dstd_transport::wait::Waiter;
use dstd_transport::{Event, Header, Outbox, Transport};

use super::blocks;
use super::discards::Discards;
use super::hot::Hot;
use super::pages::Payload;
use super::program::Ending;
use super::rounds::{Sources, round};
use super::{Request, Shipped};
use crate::context::Context;
use crate::fatal::{self, stop};
use crate::page::{Fault, Memory, Runs};
use crate::ship::{Op, Task};
use crate::wait::Wait;
use crate::{alloc, raw};

/// How soon an engine that sleeps looks again whether a thread has run.
const LOOK_AGAIN: Duration = Duration::from_micros(20);

/// Everything the engine thread owns except the transport.
pub(crate) struct Engine {
    pub(super) context: &'static Context,
    pub(super) pages: PageEngine,
    pub(super) futexes: FutexEngine,
    pub(super) memory: Memory,
    pub(super) runs: Runs,
    /// Threads of this node inside a futex call, by token.
    pub(super) waits: BTreeMap<u64, &'static Wait>,
    /// Shipped work this node waits for, by id.
    pub(super) shipped: BTreeMap<u64, Arc<Shipped>>,
    /// The spawner thread, which may block where this one must not.
    pub(super) tasks: Sender<Task>,
    pub(super) discards: Discards,
    pub(super) hot: Hot,
    pub(super) tells_blocks: bool,
    pub(super) ending: Ending,
    event: OwnedFd,
    /// What the last sleep was on.
    fds: Vec<libc::pollfd>,
    pub(super) page_outputs: Vec<page::Output>,
    /// Messages of the step that is being carried out, and bytes for them.
    pub(super) outgoing: Vec<(NodeId, Message, Payload)>,
    pub(super) copies: Vec<u8>,
    pub(super) futex_outputs: Vec<futex::Output>,
    pub(super) faults: Vec<Fault>,
    pub(super) requests: Vec<Request>,
}

impl Engine {
    pub(crate) fn new(
        context: &'static Context,
        memory: Memory,
        tasks: Sender<Task>,
        event: OwnedFd,
    ) -> Engine {
        let pages = PageEngine::new(page::Config {
            me: context.me,
            layout: context.layout.clone(),
            residence_ns: context.config.residence_ns,
            window_max: context.config.window_max,
            ahead_max: context.config.ahead_max,
            copies_max: Some(context.config.copies_max(alloc::reservation().heap_bytes())),
        });
        let runs = Runs::new(pages.patience_ns());
        Engine {
            context,
            pages,
            futexes: FutexEngine::new(context.me, context.layout.clone()),
            memory,
            runs,
            waits: BTreeMap::new(),
            shipped: BTreeMap::new(),
            tasks,
            discards: Discards::default(),
            hot: Hot::default(),
            tells_blocks: blocks::are_told(context),
            ending: Ending::default(),
            event,
            fds: Vec::new(),
            page_outputs: Vec::new(),
            outgoing: Vec::new(),
            copies: Vec::new(),
            futex_outputs: Vec::new(),
            faults: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// Serves until the program ends.
    pub(crate) fn run(mut self, transport: &mut dyn Transport, mut waiter: Waiter) -> ! {
        loop {
            round(&mut self, transport, &mut waiter);
        }
    }

    fn timers(&mut self, out: &mut dyn Transport) -> usize {
        self.lost_timer();
        match self.pages.deadline() {
            Some(at) if at <= raw::now_ns() => {
                self.page(out, page::Input::Tick, &[]);
                1
            }
            _ => 0,
        }
    }

    fn event(&mut self, out: &mut dyn Outbox, event: Event<'_>) {
        match event {
            Event::Closed { peer, why } => self.closed(peer, &why),
            Event::Frame { from, header, body } => match codec::decode(header) {
                Ok((message, _)) => self.message(out, from, message, body),
                Err(error) => stop!(fatal::INTERNAL, "node {from} sent a malformed frame: {error}"),
            },
        }
    }

    fn message(&mut self, out: &mut dyn Outbox, from: NodeId, message: Message, body: &[u8]) {
        match message.kind() {
            MessageKind::PageRequest if let Some(addr) = self.asks_the_dead(message) => {
                self.say_what_it_is(out, from, addr);
            }
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
            | MessageKind::PageInstalled => {
                self.page(out, page::Input::Message { from, message }, body);
                if self.tells_blocks
                    && let Some(page) = blocks::asked_by(message)
                {
                    blocks::asked(self.context, page);
                }
            }
            MessageKind::FutexWait
            | MessageKind::FutexArmed
            | MessageKind::FutexCancel
            | MessageKind::FutexCancelled
            | MessageKind::FutexWoken
            | MessageKind::FutexWake
            | MessageKind::FutexWakeDone => self.futex(out, futex::Input::Message { from, message }),
            MessageKind::Free => free(from, body),
            MessageKind::Ship => {
                let Message::Ship { op, id, arg } = message else { return };
                match Op::from_wire(op) {
                    Some(op) => self.shipping(out, from, op, id, arg, body),
                    None => stop!(fatal::INTERNAL, "node {from} sent the unknown operation {op}"),
                }
            }
        }
    }

    pub(super) fn send(&mut self, out: &mut dyn Outbox, to: NodeId, message: Message, body: &[u8]) {
        count_sent(self.context, to, message, body.len() as u64);
        transmit(out, to, message, body);
    }
}

impl Sources for Engine {
    fn arrived(&mut self, transport: &mut dyn Transport) -> usize {
        transport.poll(&mut |out, event| self.event(out, event))
    }

    fn is_congested(&self, transport: &dyn Transport) -> bool {
        let others = (0..self.context.layout.nodes()).map(NodeId).filter(|&node| node != self.context.me);
        others.into_iter().any(|node| transport.congested(node))
    }

    fn begin(&mut self, transport: &mut dyn Transport) -> usize {
        self.local_requests(transport) + self.local_faults(transport)
    }

    fn due(&mut self, transport: &mut dyn Transport) -> usize {
        self.watched(transport) + self.timers(transport)
    }

    fn flushed(&mut self, queued: usize) {
        self.finish_goodbye(queued);
    }

    fn sleep(&mut self, transport: &dyn Transport, waiter: &mut Waiter, begins: bool) {
        let queue = &self.context.queue;
        queue.announce_sleep();
        if queue.is_empty() && !self.memory.has_faults() || !begins {
            let deadline = [self.pages.deadline(), self.lost_deadline()].into_iter().flatten().min();
            let timeout = deadline.map(|at| Duration::from_nanos(at.saturating_sub(raw::now_ns())));
            let dozes = self.runs.is_watching() && timeout.is_none_or(|timeout| timeout > LOOK_AGAIN);
            let fds = &mut self.fds;
            fds.clear();
            transport.fds(fds);
            if begins {
                let readable = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
                fds.extend(self.memory.fd().map(readable));
                fds.push(readable(self.event.as_raw_fd()));
            }
            let slept = if dozes { waiter.doze(fds, LOOK_AGAIN) } else { waiter.sleep(fds, timeout) };
            if let Err(error) = slept {
                stop!(fatal::INTERNAL, "cannot wait for events: {error}");
            }
        }
        queue.announce_awake();
        let mut ticks = 0_u64;
        let arguments = [self.event.as_raw_fd() as usize, (&raw mut ticks) as usize, 8, 0, 0, 0];
        // SAFETY: reads eight bytes into a local; an eventfd without ticks answers EAGAIN.
        unsafe { raw::syscall(libc::SYS_read, arguments) };
    }
}

pub(super) fn count_sent(context: &Context, to: NodeId, message: Message, body: u64) {
    context.stats.add_sent(to.0, message.kind() as usize, body + size_of::<Header>() as u64);
}

pub(super) fn transmit(out: &mut dyn Outbox, to: NodeId, message: Message, body: &[u8]) {
    let header = codec::encode(&message, body.len() as u32);
    match out.send(to, &header, &[IoSlice::new(body)]) {
        // A lost peer is reported by `Event::Closed` as well, which ends the program.
        Ok(()) | Err(_) => {}
    }
}

/// Frees what another node has dropped.
fn free(from: NodeId, body: &[u8]) {
    let addrs: Vec<u64> =
        body.chunks_exact(8).map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap_or_default())).collect();
    if let Err(error) = alloc::accept_remote(&addrs) {
        stop!(
            fatal::INTERNAL,
            "node {from} freed a wrong address: {error:?} (a double free in this program?)"
        );
    }
}

/// An eventfd that wakes the engine.
///
/// # Errors
/// When no descriptor is left.
pub(crate) fn event_fd() -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: creates a descriptor.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor, nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
