//! One node: its memory, its kernel, and the engine thread that serves what comes in.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use dstd_addr::{GlobalAddr, Layout, NodeId, PageNo};
use dstd_protocol::futex::{self, FutexEngine};
use dstd_protocol::{Message, invariants, page};

use super::{Event, World};
use crate::Sabotage;
use crate::failure::{Broken, Checked, Rule};
use crate::memory::{Image, Memory};
use crate::network::Envelope;

/// A thread in FUTEX_WAIT of the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sleeper {
    pub(super) thread: usize,
    pub(super) addr: GlobalAddr,
    pub(super) bitset: u32,
}

/// An output that is not carried out yet.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// With the body of the message that was processed.
    Page(page::Output, Rc<Vec<Image>>),
    Futex(futex::Output),
    /// An unmapping that should have come before the messages of its step.
    LateUnmap {
        first: PageNo,
        count: u16,
    },
    /// The messages of a step leave although more is to be done.
    Flush,
}

pub(crate) struct Node {
    pub(crate) me: NodeId,
    pub(crate) futex: FutexEngine,
    pub(crate) memory: Memory,
    /// Threads that sleep at an address of this home, the oldest first.
    pub(crate) kernel: VecDeque<Sleeper>,
    /// The number of remote waiters, where threads read it.
    pub(super) published: u64,
    pub(super) calls: VecDeque<futex::Input>,
    pub(super) discards: VecDeque<page::Input>,
    faults: VecDeque<(PageNo, bool, usize)>,
    /// Threads whose engine wants to know when they have run, and those that have.
    pub(super) watched: BTreeSet<usize>,
    ran: VecDeque<(usize, bool)>,
    peers: Vec<VecDeque<Envelope>>,
    tick: bool,
    due_at: Option<u64>,
    busy: bool,
    /// Outputs of the last step that are still to be carried out.
    pub(super) effects: VecDeque<Effect>,
    /// Messages of the step: they leave when all its outputs have been carried out.
    pub(super) outbox: Vec<(NodeId, Envelope)>,
    /// What sabotage puts off until the messages have left.
    pub(super) late: Vec<Effect>,
}

/// Where the engine thread looks for work.
#[derive(Clone, Copy, Debug)]
enum Source {
    Fault,
    Ran,
    Call,
    Discard,
    Tick,
    Peer(usize),
}

impl Node {
    pub(super) fn new(me: NodeId, layout: &Layout) -> Node {
        Node {
            me,
            futex: FutexEngine::new(me, layout.clone()),
            memory: Memory::new(me, layout.clone()),
            kernel: VecDeque::new(),
            published: 0,
            calls: VecDeque::new(),
            discards: VecDeque::new(),
            faults: VecDeque::new(),
            watched: BTreeSet::new(),
            ran: VecDeque::new(),
            peers: vec![VecDeque::new(); usize::from(layout.nodes())],
            tick: false,
            due_at: None,
            busy: false,
            effects: VecDeque::new(),
            outbox: Vec::new(),
            late: Vec::new(),
        }
    }

    fn sources(&self) -> Vec<Source> {
        let mut sources = Vec::new();
        if !self.faults.is_empty() {
            sources.push(Source::Fault);
        }
        if !self.ran.is_empty() {
            sources.push(Source::Ran);
        }
        if !self.calls.is_empty() {
            sources.push(Source::Call);
        }
        if !self.discards.is_empty() {
            sources.push(Source::Discard);
        }
        if self.tick {
            sources.push(Source::Tick);
        }
        let peers = self.peers.iter().enumerate().filter(|(_, queue)| !queue.is_empty());
        sources.extend(peers.map(|(rank, _)| Source::Peer(rank)));
        sources
    }
}

impl World {
    /// Makes sure that the engine thread of `node` looks for work.
    pub(super) fn poke(&mut self, node: NodeId) {
        if !std::mem::replace(&mut self.node(node).busy, true) {
            let delay = self.rng.between(300, 5_000);
            self.after(delay, Event::Engine(node));
        }
    }

    pub(super) fn hand_over_fault(&mut self, node: NodeId, page: PageNo, write: bool, thread: usize) {
        self.node(node).faults.push_back((page, write, thread));
        self.poke(node);
    }

    /// The engine wants to know when `thread` has run; whether it has.
    pub(super) fn watch(&mut self, node: NodeId, thread: usize) {
        self.node(node).watched.insert(thread);
        if self.threads[thread].has_run() {
            self.tell_that_it_runs(node, thread, false);
        }
    }

    /// A thread runs: its engine is told if it wants to know.
    pub(super) fn tell_that_it_runs(&mut self, node: NodeId, thread: usize, late: bool) {
        if self.node(node).watched.remove(&thread) && !self.sabotages(Sabotage::ForgetRan) {
            self.node(node).ran.push_back((thread, late));
            self.poke(node);
        }
    }

    pub(super) fn arrive(&mut self, from: NodeId, to: NodeId) {
        if let Some(envelope) = self.network.arrive(from, to) {
            self.books.arrive(&envelope.message);
            self.node(to).peers[from.index()].push_back(envelope);
            self.poke(to);
        }
    }

    pub(super) fn due(&mut self, node: NodeId) {
        self.node(node).due_at = None;
        if self.pages[node.index()].deadline().is_some_and(|deadline| deadline <= self.now) {
            self.node(node).tick = true;
            self.poke(node);
        } else {
            self.watch_deadline(node);
        }
    }

    fn watch_deadline(&mut self, node: NodeId) {
        let Some(deadline) = self.pages[node.index()].deadline() else { return };
        if self.node(node).due_at.is_none_or(|due_at| deadline < due_at) {
            self.node(node).due_at = Some(deadline);
            let delay = deadline.saturating_sub(self.now) + self.rng.below(2_000);
            self.after(delay, Event::Due(node));
        }
    }

    /// The engine thread carries out one output, or takes one input.
    pub(super) fn work(&mut self, node: NodeId) -> Checked {
        if let Some(effect) = self.node(node).effects.pop_front() {
            self.carry_out(node, effect)?;
        } else {
            let sources = self.node(node).sources();
            if !sources.is_empty() {
                let source = self.rng.pick(&sources);
                self.take(node, source)?;
            }
        }
        if self.node(node).effects.is_empty() {
            self.flush(node)?;
        }
        let (now_or_later, rest) = (self.rng.between(100, 2_000), &self.nodes[node.index()]);
        if rest.effects.is_empty() && rest.sources().is_empty() {
            self.node(node).busy = false;
        } else {
            self.after(now_or_later, Event::Engine(node));
        }
        Ok(())
    }

    fn take(&mut self, node: NodeId, source: Source) -> Checked {
        let this = self.node(node);
        match source {
            Source::Fault => {
                if let Some((page, write, thread)) = this.faults.pop_front() {
                    self.books.faults += 1;
                    let fault = page::Input::Fault { page, write, thread: thread as u32 };
                    self.step_pages(node, fault, Rc::default())?;
                }
            }
            Source::Ran => {
                if let Some((thread, late)) = this.ran.pop_front() {
                    let ran = page::Input::Ran { thread: thread as u32, late };
                    self.step_pages(node, ran, Rc::default())?;
                }
            }
            Source::Call => {
                if let Some(call) = this.calls.pop_front() {
                    self.step_futex(node, call)?;
                    if let futex::Input::Wake { token, .. } = call
                        && let Some(&thread) = self.token_owners.get(&token)
                    {
                        let retired = page::Input::Retired { thread: thread as u32 };
                        self.step_pages(node, retired, Rc::default())?;
                    }
                }
            }
            Source::Discard => {
                if let Some(discard) = this.discards.pop_front() {
                    self.step_pages(node, discard, Rc::default())?;
                }
            }
            Source::Tick => {
                this.tick = false;
                self.step_pages(node, page::Input::Tick, Rc::default())?;
            }
            Source::Peer(rank) => {
                if let Some(Envelope { message, body }) = this.peers[rank].pop_front() {
                    let from = NodeId(rank as u16);
                    if message.kind().is_about_pages() {
                        self.step_pages(node, page::Input::Message { from, message }, body)?;
                    } else {
                        self.step_futex(node, futex::Input::Message { from, message })?;
                    }
                }
            }
        }
        self.watch_deadline(node);
        Ok(())
    }

    fn step_pages(&mut self, node: NodeId, input: page::Input, body: Rc<Vec<Image>>) -> Checked {
        let mut out = Vec::new();
        let stepped = self.pages[node.index()].step(self.now, input, &mut out);
        self.note(|| format!("node {node}: {input:?} -> {out:?}"));
        stepped.map_err(|violation| Broken::new(Rule::Refused, violation.to_string()))?;
        for output in &out {
            let (first, count) = named(output);
            for offset in 0..u64::from(count) {
                invariants::page_holds(&self.pages, first.plus(offset), false)
                    .map_err(|broken| Broken::new(Rule::SingleWriter, broken.to_string()))?;
            }
        }
        let early = out.iter().any(passes_pages) && self.sabotages(Sabotage::PassEarly);
        let (first, rest): (Vec<_>, Vec<_>) =
            out.into_iter().partition(|output| early && passes_pages(output));
        let effect = |output| Effect::Page(output, Rc::clone(&body));
        let effects = first.into_iter().map(effect).chain(early.then_some(Effect::Flush));
        self.node(node).effects.extend(effects.chain(rest.into_iter().map(effect)));
        Ok(())
    }

    pub(super) fn step_futex(&mut self, node: NodeId, input: futex::Input) -> Checked {
        let mut out = Vec::new();
        let this = self.node(node);
        let stepped = this.futex.step(input, &mut out);
        this.published = this.futex.remote_waiters();
        if self.options.sabotage == Some(Sabotage::HideWaiters) {
            self.node(node).published = 0;
        }
        self.note(|| format!("node {node}: {input:?} -> {out:?}"));
        stepped.map_err(|violation| Broken::new(Rule::Refused, violation.to_string()))?;
        if out.is_empty() && matches!(input, futex::Input::Cancel { .. }) {
            self.books.crossed_cancels += 1;
        }
        // The answer to a remote waker was counted when it was sent.
        let relayed = matches!(input, futex::Input::Message { message: Message::FutexWakeDone { .. }, .. });
        for output in &out {
            if let futex::Output::WakeDone { woken, .. } = output
                && !relayed
            {
                self.books.reported += u64::from(*woken);
            }
        }
        self.node(node).effects.extend(out.into_iter().map(Effect::Futex));
        Ok(())
    }
}

/// Whether an owner sends pages to somebody else.
fn passes_pages(output: &page::Output) -> bool {
    matches!(output, page::Output::Send { message: Message::PagePassed { .. }, .. })
}

/// The pages that an output is about.
fn named(output: &page::Output) -> (PageNo, u32) {
    match *output {
        page::Output::Send { message, .. } => {
            message.pages().map_or((PageNo(0), 0), |(first, count)| (first, count.into()))
        }
        page::Output::Protect { first, count }
        | page::Output::Unmap { first, count }
        | page::Output::Install { first, count, .. }
        | page::Output::Upgrade { first, count } => (first, count.into()),
        page::Output::Resolve { page, .. } => (page, 1),
        page::Output::Fresh { first, count } => (first, count),
        page::Output::Watch { .. } | page::Output::Discarded { .. } => (PageNo(0), 0),
    }
}
