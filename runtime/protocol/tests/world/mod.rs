//! A whole program in one value: engines, channels, memory and threads, small enough for a
//! model checker. A page has one word here; a copy that may not be read any more has none.

mod memory;
pub mod model;
mod thread;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dstd_addr::{Layout, NodeId, PageNo};
use dstd_protocol::futex::FutexEngine;
use dstd_protocol::page::{Body, Config, Input, Local, Output, PageEngine};
use dstd_protocol::{Message, MessageKind, futex, invariants};

pub use memory::Memory;
pub use thread::{Op, Thread};

/// What one run looks like.
#[derive(Clone, Debug)]
pub struct Setup {
    pub nodes: u16,
    pub residence_ns: u64,
    pub window_max: u16,
    pub ahead_max: u16,
    pub copies_max: Option<u32>,
    /// The pages that threads use.
    pub pages: Vec<PageNo>,
    /// One program a thread, and its node.
    pub programs: Vec<(usize, Vec<Op>)>,
}

/// Two nodes without read-ahead, bounds or residence, and nothing to do.
impl Default for Setup {
    fn default() -> Setup {
        let (pages, programs) = (Vec::new(), Vec::new());
        Setup { nodes: 2, residence_ns: 0, window_max: 1, ahead_max: 1, copies_max: None, pages, programs }
    }
}

/// What can happen next. Messages of one channel arrive in order, everything else at any time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// The oldest message from one node to another arrives.
    Deliver { from: usize, to: usize },
    /// The engine of a node reads its oldest fault event.
    Event { node: usize },
    /// The minimum residence of a node's oldest held page ends.
    Tick { node: usize },
    /// A thread that is not blocked takes one step.
    Run { thread: usize },
}

/// Threads that stopped at one page for the same.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Faults {
    page: PageNo,
    write: bool,
    threads: BTreeSet<usize>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Frame {
    message: Message,
    body: Vec<Option<u8>>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct World {
    pub engines: Vec<PageEngine>,
    pub futexes: Vec<FutexEngine>,
    pub memories: Vec<Memory>,
    pub threads: Vec<Thread>,
    /// The last word written to each page, in the order in which the writes happened.
    truth: BTreeMap<PageNo, u8>,
    /// By sender and receiver.
    channels: BTreeMap<(usize, usize), VecDeque<Frame>>,
    /// Fault events no engine has read yet. It reads those alike at once.
    events: Vec<VecDeque<Faults>>,
    /// Threads asleep in each node's kernel, oldest first: page, thread.
    kernels: Vec<VecDeque<(PageNo, usize)>>,
    /// Stays 0 in the model, where time only means that a tick may come; runs in random walks.
    pub now_ns: u64,
    /// The first thing that went wrong.
    pub broken: Option<String>,
}

/// The pages that a walk through `page` may ask for: read-ahead reaches past those that threads
/// use, in steps from one of them to another.
fn read_ahead(setup: &Setup, layout: &Layout, page: PageNo) -> impl Iterator<Item = PageNo> {
    let home = layout.home(page);
    let alike = setup.pages.iter().filter(|other| layout.home(**other) == home);
    let step = alike.map(|other| other.0.abs_diff(page.0)).max().unwrap_or(0);
    let window = u64::from(setup.window_max);
    let ahead = if setup.ahead_max > 1 { step.max(1) * u64::from(setup.ahead_max) } else { 0 };
    let most = ahead.max(window);
    let pages = page.0.saturating_sub(most)..=page.0 + most;
    pages.map(PageNo).filter(|page| layout.home(*page) == home).collect::<Vec<_>>().into_iter()
}

impl World {
    pub fn new(setup: &Setup) -> World {
        let layout = Layout::new(setup.nodes, [0..0, 0..0]);
        let ranks = 0..setup.nodes;
        let engine = |rank| {
            PageEngine::new(Config {
                me: NodeId(rank),
                layout: layout.clone(),
                residence_ns: setup.residence_ns,
                window_max: setup.window_max,
                ahead_max: setup.ahead_max,
                copies_max: setup.copies_max,
            })
        };
        let pages: BTreeSet<_> =
            setup.pages.iter().flat_map(|&page| read_ahead(setup, &layout, page)).collect();
        let memory =
            |rank| Memory::new(pages.iter().map(|&page| (page, layout.home(page) == Some(NodeId(rank)))));
        World {
            engines: ranks.clone().map(engine).collect(),
            futexes: ranks.clone().map(|rank| FutexEngine::new(NodeId(rank), layout.clone())).collect(),
            memories: ranks.clone().map(memory).collect(),
            threads: setup.programs.iter().map(|&(node, _)| Thread::new(node)).collect(),
            truth: pages.iter().map(|&page| (page, 0)).collect(),
            channels: BTreeMap::new(),
            events: vec![VecDeque::new(); ranks.len()],
            kernels: vec![VecDeque::new(); ranks.len()],
            now_ns: 0,
            broken: None,
        }
    }

    /// Everything that can happen next.
    pub fn actions(&self, setup: &Setup) -> Vec<Action> {
        if self.broken.is_some() {
            return Vec::new();
        }
        let nodes = 0..self.engines.len();
        let deliver = self.channels.keys().map(|&(from, to)| Action::Deliver { from, to });
        let event =
            nodes.clone().filter(|&node| !self.events[node].is_empty()).map(|node| Action::Event { node });
        let tick =
            nodes.filter(|&node| self.engines[node].deadline().is_some()).map(|node| Action::Tick { node });
        let threads = 0..self.threads.len();
        let run = threads
            .filter(|&thread| self.threads[thread].can_run(&setup.programs[thread].1))
            .map(|thread| Action::Run { thread });
        deliver.chain(event).chain(tick).chain(run).collect()
    }

    pub fn act(&mut self, setup: &Setup, action: Action) {
        match action {
            Action::Deliver { from, to } => self.deliver(from, to),
            Action::Event { node } => {
                if let Some(Faults { page, write, threads }) = self.events[node].pop_front() {
                    for thread in threads {
                        let fault = Input::Fault { page, write, thread: thread as u32 };
                        self.step_page(node, self.now_ns, fault, &[]);
                    }
                }
            }
            Action::Tick { node } => {
                let due = self.engines[node].deadline().unwrap_or(0).max(self.now_ns);
                self.step_page(node, due, Input::Tick, &[]);
            }
            Action::Run { thread } => {
                self.threads[thread].has_run = true;
                self.run(thread, &setup.programs[thread].1);
            }
        }
        self.tell_of_runs();
        if let Err(broken) = self.check(false) {
            self.break_with(broken);
        }
    }

    /// Answers for those watched threads that have run.
    fn tell_of_runs(&mut self) {
        for thread in 0..self.threads.len() {
            let Thread { node, watched, has_run, .. } = self.threads[thread];
            if let Some(late) = watched.filter(|_| has_run) {
                self.threads[thread].watched = None;
                self.step_page(node, self.now_ns, Input::Ran { thread: thread as u32, late }, &[]);
            }
        }
    }

    /// Whether every thread has come to its end.
    pub fn finished(&self, setup: &Setup) -> bool {
        self.threads.iter().zip(&setup.programs).all(|(thread, (_, ops))| thread.finished(ops))
    }

    /// The shared predicates, and that what the engines believe is what the hardware does.
    pub fn check(&self, settled: bool) -> Result<(), String> {
        for engine in &self.engines {
            self.check_copies(engine, settled)?;
        }
        for &page in self.truth.keys() {
            invariants::page_holds(&self.engines, page, settled).map_err(|broken| broken.to_string())?;
            for (engine, memory) in self.engines.iter().zip(&self.memories) {
                if engine.local(page) != memory.mapped(page) {
                    return Err(format!("{page:?} at node {} is mapped otherwise", engine.config().me));
                }
            }
        }
        Ok(())
    }

    /// That an engine knows how many copies it holds, and keeps its bound when nothing happens.
    fn check_copies(&self, engine: &PageEngine, settled: bool) -> Result<(), String> {
        let Some(max) = engine.config().copies_max else { return Ok(()) };
        let me = engine.config().me;
        let foreign = |&&page: &&PageNo| engine.config().layout.home(page) != Some(me);
        let held = self.truth.keys().filter(foreign).filter(|&&page| engine.local(page) != Local::Absent);
        let held = held.count();
        if held != engine.copies() || (settled && held > max as usize) {
            return Err(format!("node {me} holds {held} copies, counts {}, may have {max}", engine.copies()));
        }
        Ok(())
    }

    fn break_with(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    fn deliver(&mut self, from: usize, to: usize) {
        let Some(channel) = self.channels.get_mut(&(from, to)) else { return };
        let Some(frame) = channel.pop_front() else { return };
        if channel.is_empty() {
            self.channels.remove(&(from, to));
        }
        let (sender, message) = (NodeId(from as u16), frame.message);
        if is_futex(&message) {
            self.step_futex(to, futex::Input::Message { from: sender, message });
        } else {
            self.step_page(to, self.now_ns, Input::Message { from: sender, message }, &frame.body);
        }
    }

    fn send(&mut self, from: usize, to: NodeId, message: Message, body: Vec<Option<u8>>) {
        if to.index() == from {
            self.break_with(format!("node {from} sends to itself: {message:?}"));
        }
        self.channels.entry((from, to.index())).or_default().push_back(Frame { message, body });
    }

    fn step_page(&mut self, node: usize, now_ns: u64, input: Input, received: &[Option<u8>]) {
        let mut outputs = Vec::new();
        if let Err(violation) = self.engines[node].step(now_ns, input, &mut outputs) {
            self.break_with(violation.to_string());
        }
        for output in outputs {
            if let Err(what) = self.perform(node, output, received) {
                self.break_with(format!("node {node}, {output:?}: {what}"));
            }
        }
    }

    fn perform(&mut self, node: usize, output: Output, received: &[Option<u8>]) -> Result<(), &'static str> {
        let memory = &mut self.memories[node];
        match output {
            Output::Send { to, message, body } => {
                let body = match (body, message) {
                    (Body::None, _) => Vec::new(),
                    (Body::Received, _) => received.to_vec(),
                    (Body::Pages, Message::PageGrant { first, count, .. }) => {
                        memory.read_out(first, count)?
                    }
                    (Body::Pages, Message::PageReturn { first, count, .. })
                    | (Body::Pages, Message::PagePassed { first, count, .. }) => {
                        memory.read_out(first, count)?
                    }
                    (Body::Pages, Message::PageEvict { first, count, exclusive: true }) => {
                        memory.read_out(first, count)?
                    }
                    (Body::Pages, _) => return Err("names no pages"),
                };
                self.send(node, to, message, body);
            }
            Output::Protect { first, count } => memory.protect(first, count)?,
            Output::Unmap { first, count } => memory.unmap(first, count)?,
            Output::Install { first, count, writable, skip } => {
                let words = received.get(usize::from(skip)..usize::from(skip + count));
                memory.install(first, words.ok_or("the body is too short")?, writable)?;
                self.wake_faults(node, first, count);
            }
            Output::Upgrade { first, count } => {
                memory.upgrade(first, count)?;
                self.wake_faults(node, first, count);
            }
            Output::Resolve { page, writable } => {
                if memory.mapped(page) != if writable { Local::Writable } else { Local::ReadOnly } {
                    return Err("is not mapped so");
                }
                self.wake_faults(node, page, 1);
            }
            Output::Fresh { first, count } => {
                for page in (0..u64::from(count)).map(|offset| first.plus(offset)) {
                    // A store of zeros.
                    memory.write(page, 0);
                    self.truth.insert(page, 0);
                }
                self.wake_faults(node, first, count as u16);
            }
            Output::Discarded { token } => self.discarded(node, token),
            Output::Watch { thread } => {
                let thread = &mut self.threads[thread as usize];
                thread.watched = Some(!thread.has_run);
            }
        }
        Ok(())
    }

    fn wake_faults(&mut self, node: usize, first: PageNo, count: u16) {
        let pages = first..first.plus(u64::from(count));
        for thread in self.threads.iter_mut().filter(|thread| thread.node == node) {
            if thread.fault.is_some_and(|page| pages.contains(&page)) {
                thread.fault = None;
                // Without a residence nobody asks.
                thread.has_run = self.engines[node].config().residence_ns == 0;
                thread.watched = None;
            }
        }
    }

    /// The word of `page` if `node` may use it so; raises a fault of `thread` otherwise.
    fn touch(&mut self, thread: usize, page: PageNo, write: bool) -> Option<u8> {
        let node = self.threads[thread].node;
        let mapped = self.memories[node].mapped(page);
        if mapped == Local::Absent || (write && mapped != Local::Writable) {
            self.threads[thread].fault = Some(page);
            let alike =
                self.events[node].iter_mut().find(|faults| (faults.page, faults.write) == (page, write));
            match alike {
                Some(faults) => {
                    faults.threads.insert(thread);
                }
                None => self.events[node].push_back(Faults { page, write, threads: [thread].into() }),
            }
            return None;
        }
        let word = self.memories[node].word(page);
        if word != self.truth.get(&page).copied() {
            self.break_with(format!("thread {thread} sees {word:?} on {page:?}, not the last write"));
        }
        word
    }

    /// Writes after a successful [`World::touch`].
    fn write(&mut self, thread: usize, page: PageNo, word: u8) {
        self.memories[self.threads[thread].node].write(page, word);
        self.truth.insert(page, word);
    }
}

fn is_futex(message: &Message) -> bool {
    message.kind() >= MessageKind::FutexWait && message.kind() <= MessageKind::FutexWakeDone
}
