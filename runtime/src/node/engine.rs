//! The execution of what the protocol engines decide, from what the engine thread hears.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use dstd_addr::{GlobalAddr, Kind, NodeId, PAGE_BYTES, PageNo};
use dstd_protocol::futex::{self, FutexEngine};
use dstd_protocol::page::{self, PageEngine};
use dstd_protocol::{Message, MessageKind, codec};
use dstd_transport::wait::Waiter;
use dstd_transport::{Event, Header, Outbox, Transport};

use super::blocks;
use super::discards::Discards;
use super::hot::Hot;
use super::program::Ending;
use super::rounds::{Sources, round};
use super::{FutexState, Request, Shipped};
use crate::context::Context;
use crate::fatal::{self, stop};
use crate::page::{Fault, Memory, Runs};
use crate::ship::{Op, Task};
use crate::wait::Wait;
use crate::{alloc, raw};

/// How many threads of other nodes wait for addresses of this node. A wake at home that reads
/// 0 here stays in the kernel.
static REMOTE_WAITERS: AtomicU64 = AtomicU64::new(0);

/// How soon an engine that sleeps looks again whether a thread has run.
const LOOK_AGAIN: Duration = Duration::from_micros(20);

/// See [`REMOTE_WAITERS`]; the caller has fenced its store to the futex word before.
pub(crate) fn remote_waiters() -> u64 {
    REMOTE_WAITERS.load(Ordering::SeqCst)
}

/// What travels with a message.
#[derive(Clone, Copy, Debug)]
enum Payload {
    None,
    /// The body of the message being processed.
    Received,
    /// Own pages, read through the alias.
    Own {
        first: PageNo,
        count: u16,
    },
    /// A part of `Engine::copies`.
    Copied {
        start: usize,
        len: usize,
    },
}

/// Everything the engine thread owns except the transport.
pub(crate) struct Engine {
    pub(super) context: &'static Context,
    pages: PageEngine,
    futexes: FutexEngine,
    memory: Memory,
    runs: Runs,
    /// Threads of this node inside a futex call, by token.
    waits: BTreeMap<u64, &'static Wait>,
    /// Shipped work this node waits for, by id.
    pub(super) shipped: BTreeMap<u64, Arc<Shipped>>,
    /// The spawner thread, which may block where this one must not.
    pub(super) tasks: Sender<Task>,
    discards: Discards,
    hot: Hot,
    tells_blocks: bool,
    pub(super) ending: Ending,
    event: OwnedFd,
    /// What the last sleep was on.
    fds: Vec<libc::pollfd>,
    page_outputs: Vec<page::Output>,
    /// Messages of the step that is being carried out, and bytes for them.
    outgoing: Vec<(NodeId, Message, Payload)>,
    copies: Vec<u8>,
    futex_outputs: Vec<futex::Output>,
    faults: Vec<Fault>,
    requests: Vec<Request>,
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

    fn local_requests(&mut self, out: &mut dyn Transport) -> usize {
        if self.context.queue.is_empty() {
            return 0;
        }
        let mut requests = core::mem::take(&mut self.requests);
        self.context.queue.take(&mut requests);
        let found = requests.len();
        for request in requests.drain(..) {
            self.request(out, request);
        }
        self.requests = requests;
        found
    }

    fn request(&mut self, out: &mut dyn Outbox, request: Request) {
        match request {
            Request::FutexWait { wait, token, addr, bitset } => {
                self.context.stats.futex_wait.fetch_add(1, Ordering::Relaxed);
                self.waits.insert(token, wait);
                self.futex(out, futex::Input::Wait { token, addr, bitset });
            }
            Request::FutexCancel { token, pass_on } => {
                self.futex(out, futex::Input::Cancel { token, pass_on });
            }
            Request::FutexWake { wait, token, addr, count, bitset, thread } => {
                self.context.stats.futex_wake.fetch_add(1, Ordering::Relaxed);
                self.waits.insert(token, wait);
                self.futex(out, futex::Input::Wake { token, addr, count, bitset });
                // Who is woken wants the page with the word next.
                self.page(out, page::Input::Retired { thread }, &[]);
            }
            Request::Free { home, addrs } => {
                let stats = self.context.stats;
                stats.remote_frees.fetch_add(addrs.len() as u64, Ordering::Relaxed);
                let body: Vec<u8> = addrs.iter().flat_map(|addr| addr.to_le_bytes()).collect();
                self.send(out, home, Message::Free, &body);
            }
            Request::Ship { to, op, id, arg, body, expect } => {
                if let Some((answer, shipped)) = expect {
                    self.shipped.insert(answer, shipped);
                }
                self.send(out, to, Message::Ship { op: op as u16, id, arg }, &body);
            }
            Request::Local { task, expect } => {
                if let Some((answer, shipped)) = expect {
                    self.shipped.insert(answer, shipped);
                }
                self.hand_over(task);
            }
            Request::Discard { first, count, done } => {
                let token = self.discards.begin(first, count, done);
                self.page(out, page::Input::Discard { first, count, token }, &[]);
            }
            Request::Ended { id } => self.ended(id, &[]),
            Request::Goodbye { kind, origin, code, wait } => {
                self.start_goodbye(out, kind, origin, code, wait)
            }
        }
    }

    fn local_faults(&mut self, out: &mut dyn Transport) -> usize {
        let mut faults = core::mem::take(&mut self.faults);
        faults.clear();
        if let Err(error) = self.memory.read_faults(&mut faults) {
            stop!(fatal::INTERNAL, "cannot read page faults: {error}");
        }
        let found = faults.len();
        for &fault in &faults {
            self.runs.stopped(fault);
        }
        for &fault in &faults {
            self.fault(out, fault);
        }
        self.faults = faults;
        found
    }

    fn fault(&mut self, out: &mut dyn Outbox, fault: Fault) {
        let page = GlobalAddr(fault.address).page();
        match self.context.layout.kind(fault.address) {
            Kind::Heap(_) | Kind::Stack(_) | Kind::Striped(_) | Kind::Static => {
                self.page_fault(out, page, fault);
            }
            // In a domain only a slot that never had a thread has no page there.
            Kind::ThreadLocal(owner) if self.context.direct => {
                self.ask_what_it_is(out, owner, fault.address);
            }
            Kind::ThreadLocal(_) => self.page_fault(out, page, fault),
            Kind::Native(owner) | Kind::Private(owner) if owner != self.context.me => {
                self.ask_what_it_is(out, owner, fault.address);
            }
            kind => stop!(
                fatal::CANNOT,
                "node {} touched {:#x}, which is {kind:?}",
                self.context.me,
                fault.address
            ),
        }
    }

    fn page_fault(&mut self, out: &mut dyn Outbox, page: PageNo, fault: Fault) {
        let Fault { write, thread, .. } = fault;
        let before = self.pages.counters().faults();
        self.page(out, page::Input::Fault { page, write, thread }, &[]);
        if self.pages.counters().faults() != before {
            if self.tells_blocks {
                blocks::asked(self.context, page);
            }
            self.hot.count(self.context, fault, &self.page_outputs, (&self.pages, &self.memory));
        }
    }

    /// Tells the page engine which of the threads that it watches have run.
    fn watched(&mut self, out: &mut dyn Outbox) -> usize {
        if !self.runs.is_watching() {
            return 0;
        }
        let answers = self.runs.answers();
        for &(thread, late) in &answers {
            self.page(out, page::Input::Ran { thread, late }, &[]);
        }
        answers.len()
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

    fn page(&mut self, out: &mut dyn Outbox, input: page::Input, body: &[u8]) {
        let mut outputs = core::mem::take(&mut self.page_outputs);
        outputs.clear();
        if let Err(violation) = self.pages.step(raw::now_ns(), input, &mut outputs) {
            stop!(fatal::INTERNAL, "page engine: {violation} on {input:?}");
        }
        for output in &outputs {
            self.execute(*output, body);
        }
        self.transmit_outgoing(out, body);
        self.page_outputs = outputs;
        let counts = self.pages.counters();
        let stats = self.context.stats;
        stats.faults_read.store(counts.faults_read, Ordering::Relaxed);
        stats.faults_write.store(counts.faults_write, Ordering::Relaxed);
        stats.faults_upgrade.store(counts.faults_upgrade, Ordering::Relaxed);
        stats.pages_evicted.store(counts.evictions, Ordering::Relaxed);
        stats.pages_discarded.store(counts.discards, Ordering::Relaxed);
    }

    /// Carries out one output. Messages wait until the whole step is done: a receiver that may
    /// write must not hear of it while threads here can still read (PAGE-1).
    fn execute(&mut self, output: page::Output, received: &[u8]) {
        match output {
            page::Output::Send { to, message, body } => {
                let payload = match body {
                    page::Body::None => Payload::None,
                    page::Body::Received => Payload::Received,
                    page::Body::Pages => self.pages_of(message),
                };
                self.outgoing.push((to, message, payload));
            }
            page::Output::Protect { first, count } => self.memory.protect(first, count),
            page::Output::Unmap { first, count } => self.memory.unmap(first, count),
            page::Output::Install { first, count, writable, skip } => {
                let from = usize::from(skip) * PAGE_BYTES as usize;
                let len = usize::from(count) * PAGE_BYTES as usize;
                let Some(bytes) = received.get(from..from + len) else {
                    stop!(fatal::INTERNAL, "XPORT-2: the pages for {first:?} did not come")
                };
                self.runs.wakes(first, count.into());
                self.memory.install(first, count, writable, bytes);
            }
            page::Output::Upgrade { first, count } => {
                self.runs.wakes(first, count.into());
                self.memory.upgrade(first, count);
            }
            page::Output::Resolve { page, writable } => {
                self.runs.wakes(page, 1);
                self.memory.resolve(page, writable);
            }
            page::Output::Fresh { first, count } => {
                self.runs.wakes(first, count);
                self.memory.fresh(first, count);
            }
            page::Output::Watch { thread } => self.runs.watch(thread),
            page::Output::Discarded { token } => self.discards.end(token),
        }
    }

    /// The bytes of the pages that `message` names: where they will still be when the step is
    /// done, or else a copy.
    fn pages_of(&mut self, message: Message) -> Payload {
        let Some((first, count)) = message.pages().filter(|_| message.body_pages() > 0) else {
            stop!(fatal::INTERNAL, "page engine: {message:?} carries no pages")
        };
        if self.memory.outlives_unmap(first) {
            return Payload::Own { first, count };
        }
        // The same pages to two nodes: to who reads them, and to their home.
        if let Some(&(_, before, payload @ Payload::Copied { .. })) = self.outgoing.last()
            && before == message
        {
            return payload;
        }
        let start = self.copies.len();
        self.copies.extend_from_slice(self.memory.bytes(first, count));
        Payload::Copied { start, len: usize::from(count) * PAGE_BYTES as usize }
    }

    fn transmit_outgoing(&mut self, out: &mut dyn Outbox, received: &[u8]) {
        for (to, message, payload) in self.outgoing.drain(..) {
            let bytes = match payload {
                Payload::None => &[],
                Payload::Received => received,
                Payload::Own { first, count } => self.memory.bytes(first, count),
                Payload::Copied { start, len } => &self.copies[start..start + len],
            };
            count_sent(self.context, to, message, bytes.len() as u64);
            transmit(out, to, message, bytes);
        }
        self.copies.clear();
    }

    fn futex(&mut self, out: &mut dyn Outbox, input: futex::Input) {
        let mut outputs = core::mem::take(&mut self.futex_outputs);
        let mut next = Some(input);
        while let Some(input) = next.take() {
            outputs.clear();
            if let Err(violation) = self.futexes.step(input, &mut outputs) {
                stop!(fatal::INTERNAL, "futex engine: {violation} on {input:?}");
            }
            // Before `FutexArmed` goes out: a waker at home that stores after the waiter's second
            // look must see the waiter counted.
            REMOTE_WAITERS.store(self.futexes.remote_waiters(), Ordering::SeqCst);
            for output in &outputs {
                match *output {
                    futex::Output::Send { to, message } => self.send(out, to, message, &[]),
                    futex::Output::Armed { token } => {
                        if let Some(wait) = self.waits.get(&token) {
                            wait.set(FutexState::ARMED, 0);
                        }
                    }
                    futex::Output::Woken { token } => self.answer(token, FutexState::WOKEN, 0),
                    futex::Output::Cancelled { token } => self.answer(token, FutexState::CANCELLED, 0),
                    futex::Output::WakeDone { token, woken } => {
                        self.answer(token, FutexState::WAKE_DONE, u64::from(woken));
                    }
                    futex::Output::KernelWake { ticket, addr, count, bitset } => {
                        let woken = kernel_wake(addr, count, bitset);
                        next = Some(futex::Input::KernelWoke { ticket, woken });
                    }
                }
            }
        }
        self.futex_outputs = outputs;
    }

    fn answer(&mut self, token: u64, state: u32, value: u64) {
        if let Some(wait) = self.waits.remove(&token) {
            wait.set(state, value);
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

fn count_sent(context: &Context, to: NodeId, message: Message, body: u64) {
    context.stats.add_sent(to.0, message.kind() as usize, body + size_of::<Header>() as u64);
}

fn transmit(out: &mut dyn Outbox, to: NodeId, message: Message, body: &[u8]) {
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

/// Wakes waiters of this node in the kernel; touches no memory at `addr`.
fn kernel_wake(addr: GlobalAddr, count: u32, bitset: u32) -> u32 {
    let op = (libc::FUTEX_WAKE_BITSET | libc::FUTEX_PRIVATE_FLAG) as usize;
    let count = count.min(i32::MAX as u32) as usize;
    // SAFETY: a private wake uses the address as a key only.
    let woken = unsafe { raw::syscall(libc::SYS_futex, [addr.0 as usize, op, count, 0, 0, bitset as usize]) };
    u32::try_from(woken).unwrap_or(0)
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
