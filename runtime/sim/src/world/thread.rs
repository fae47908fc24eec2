//! User threads: they run, fault, sleep.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use dstd_addr::{GlobalAddr, NodeId, PageNo};
use dstd_protocol::futex::Input;
use dstd_protocol::page;

use super::node::Sleeper;
use super::{Event, World};
use crate::check;
use crate::cpu::{Change, Op, Signal, Slot};
use crate::failure::Checked;
use crate::memory::Mapping;
use crate::program::Program;

/// Where a thread stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// On the agenda.
    Runs,
    /// Stopped by the hardware until its page is there.
    Faulted {
        page: PageNo,
        write: bool,
    },
    /// In FUTEX_WAIT of the kernel.
    InKernel {
        addr: GlobalAddr,
    },
    /// Waits for a signal of the engine.
    Listens,
    Finished,
}

pub(crate) struct Thread {
    node: NodeId,
    slot: Rc<RefCell<Slot>>,
    program: Program,
    /// An operation that faulted and is tried again.
    op: Option<Op>,
    state: State,
    faults_in_a_row: u32,
    /// How many pages, or rights to them, have come for the operation.
    transfers: u32,
    /// Whether it has run since it was last woken from a fault.
    has_run: bool,
    /// Counts its sleeps, so that an old timeout does not end a new one.
    nap: u64,
}

impl Thread {
    pub(super) fn new(node: NodeId, slot: Rc<RefCell<Slot>>, program: Program) -> Thread {
        Thread {
            node,
            slot,
            program,
            op: None,
            state: State::Runs,
            faults_in_a_row: 0,
            transfers: 0,
            has_run: true,
            nap: 0,
        }
    }

    /// Whether it has run since it was last woken from a fault.
    pub(super) fn has_run(&self) -> bool {
        self.has_run
    }

    /// What it still waits for, if it has not finished.
    pub(crate) fn unfinished(&self, number: usize) -> Option<String> {
        (self.state != State::Finished)
            .then(|| format!("thread {number} of node {}: {:?}", self.node, self.state))
    }

    /// The next operation, or none at the end.
    fn poll(&mut self) -> Option<Op> {
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut self.program).poll(&mut context) {
            Poll::Ready(()) => None,
            Poll::Pending => self.slot.borrow_mut().op.take(),
        }
    }
}

impl World {
    pub(super) fn run_thread(&mut self, number: usize) -> Checked {
        let thread = &mut self.threads[number];
        let node = thread.node;
        thread.has_run = true;
        self.tell_that_it_runs(node, number, true);
        let thread = &mut self.threads[number];
        let Some(op) = thread.op.take().or_else(|| thread.poll()) else {
            thread.state = State::Finished;
            let complaint = thread.slot.borrow_mut().complaint.take();
            self.note(|| format!("thread {number} of node {node} is finished"));
            return check::result::complaint(number, complaint);
        };
        let complaint = thread.slot.borrow_mut().complaint.take();
        check::result::complaint(number, complaint)?;
        match op {
            Op::Load { addr } => {
                if self.allowed(number, op, addr, Mapping::ReadOnly)? {
                    let value = self.load(number, addr)?;
                    self.answer(number, value);
                }
            }
            Op::Write { addr, change } => {
                if self.allowed(number, op, addr, Mapping::Writable)? {
                    let before = self.write(number, addr, change)?;
                    self.answer(number, before);
                }
            }
            Op::Copy { from, to } => {
                if self.allowed(number, op, from, Mapping::ReadOnly)?
                    && self.allowed(number, op, to, Mapping::Writable)?
                {
                    let value = self.load(number, from)?;
                    self.write(number, to, Change::Set(value))?;
                    let transfers = self.threads[number].transfers;
                    *self.straddles.entry(transfers).or_default() += 1;
                    self.answer(number, 0);
                }
            }
            Op::Pause { ns } => {
                self.threads[number].slot.borrow_mut().answer = Some(0);
                self.after(ns, Event::Run(number));
            }
            Op::KernelWait { addr, expected, timeout_ns } => {
                if self.allowed(number, op, addr, Mapping::ReadOnly)? {
                    if self.load(number, addr)? != expected {
                        self.answer(number, 1);
                        return Ok(());
                    }
                    self.note(|| format!("thread {number} of node {node} sleeps at {addr:?}"));
                    self.node(node).kernel.push_back(Sleeper { thread: number, addr, bitset: u32::MAX });
                    self.sleep(number, State::InKernel { addr }, timeout_ns);
                }
            }
            Op::KernelWake { addr, count, bitset } => {
                let woken = self.wake_in_kernel(node, addr, count, bitset);
                self.books.reported += u64::from(woken);
                self.answer(number, u64::from(woken));
            }
            Op::RemoteWaiters => {
                let waiters = self.node(node).published;
                self.answer(number, waiters);
            }
            Op::Call { input } => {
                if let Input::Wait { token, .. } | Input::Wake { token, .. } = input {
                    self.token_owners.insert(token, number);
                }
                self.note(|| format!("thread {number} of node {node} calls {input:?}"));
                self.node(node).calls.push_back(input);
                self.poke(node);
                self.answer(number, 0);
            }
            Op::Discard { first, count, token } => {
                self.token_owners.insert(token, number);
                self.note(|| format!("thread {number} of node {node} discards {count} from {first:?}"));
                self.node(node).discards.push_back(page::Input::Discard { first, count, token });
                self.poke(node);
                self.answer(number, 0);
            }
            Op::Listen { timeout_ns } => {
                if self.threads[number].slot.borrow().signals.is_empty() {
                    self.sleep(number, State::Listens, timeout_ns);
                } else {
                    self.answer(number, 0);
                }
            }
        }
        Ok(())
    }

    /// Whether the hardware lets the thread do it; if not, it faults.
    fn allowed(&mut self, number: usize, op: Op, addr: GlobalAddr, least: Mapping) -> Checked<bool> {
        let (node, page) = (self.threads[number].node, addr.page());
        if self.node(node).memory.mapping(page) >= least {
            return Ok(true);
        }
        let write = least == Mapping::Writable;
        let thread = &mut self.threads[number];
        thread.op = Some(op);
        thread.state = State::Faulted { page, write };
        thread.faults_in_a_row += 1;
        let faults = thread.faults_in_a_row;
        check::progress::retires(number, faults)?;
        self.worst_access = self.worst_access.max(faults);
        self.note(|| format!("thread {number} of node {node} faults on {page:?}, write {write}"));
        self.hand_over_fault(node, page, write, number);
        if self.rng.once_in(40) {
            self.hand_over_fault(node, page, write, number);
        }
        if self.rng.once_in(40) {
            let delay = self.rng.below(200_000);
            self.after(delay, Event::Echo { node, page, write, thread: number });
        }
        Ok(false)
    }

    fn load(&mut self, number: usize, addr: GlobalAddr) -> Checked<u64> {
        let node = self.threads[number].node;
        let value = self.node(node).memory.load(addr)?;
        self.note(|| format!("thread {number} of node {node} loads {value} at {addr:?}"));
        self.order.load(node, addr, value)?;
        Ok(value)
    }

    fn write(&mut self, number: usize, addr: GlobalAddr, change: Change) -> Checked<u64> {
        let (node, now) = (self.threads[number].node, self.now);
        let memory = &mut self.node(node).memory;
        let before = memory.load(addr)?;
        let after = change.apply(before);
        memory.store(addr, after)?;
        self.note(|| format!("thread {number} of node {node} changes {before} to {after} at {addr:?}"));
        self.order.store(node, addr, before, after, now)?;
        Ok(before)
    }

    /// The operation has retired.
    fn answer(&mut self, number: usize, answer: u64) {
        let thread = &mut self.threads[number];
        thread.slot.borrow_mut().answer = Some(answer);
        thread.faults_in_a_row = 0;
        thread.transfers = 0;
        let delay = self.rng.between(20, 400);
        self.after(delay, Event::Run(number));
    }

    fn sleep(&mut self, number: usize, state: State, timeout_ns: Option<u64>) {
        let thread = &mut self.threads[number];
        thread.state = state;
        thread.nap += 1;
        let nap = thread.nap;
        if let Some(ns) = timeout_ns {
            self.after(ns, Event::Timeout { thread: number, nap });
        }
    }

    /// Lets a sleeping or faulted thread run again, after the scheduler's delay.
    fn rise(&mut self, number: usize, answer: Option<u64>) {
        let thread = &mut self.threads[number];
        thread.state = State::Runs;
        thread.nap += 1;
        thread.slot.borrow_mut().answer = answer;
        let delay = if self.rng.once_in(20) { 100_000 } else { 15_000 };
        let delay = self.rng.between(200, delay);
        self.after(delay, Event::Run(number));
    }

    pub(super) fn time_over(&mut self, number: usize, nap: u64) {
        let Thread { state, nap: current, node, .. } = self.threads[number];
        if current != nap {
            return;
        }
        self.note(|| format!("the time of thread {number} of node {node} is over"));
        match state {
            State::InKernel { .. } => {
                self.node(node).kernel.retain(|sleeper| sleeper.thread != number);
                self.rise(number, Some(2));
            }
            State::Listens => self.rise(number, Some(1)),
            State::Runs | State::Faulted { .. } | State::Finished => {}
        }
    }

    /// Wakes the threads that wait for these pages; `came` says whether they have only just come.
    pub(super) fn wake_faulted(&mut self, node: NodeId, first: PageNo, count: u16, came: bool) {
        let pages = first..first.plus(u64::from(count));
        for number in 0..self.threads.len() {
            let thread = &self.threads[number];
            if thread.node == node
                && matches!(thread.state, State::Faulted { page, .. } if pages.contains(&page))
            {
                let thread = &mut self.threads[number];
                thread.transfers += u32::from(came);
                thread.has_run = false;
                self.node(node).watched.remove(&number);
                self.rise(number, None);
            }
        }
    }

    /// Tells the thread whose call this is.
    pub(super) fn signal(&mut self, token: u64, signal: Signal) {
        let Some(&number) = self.token_owners.get(&token) else { return };
        self.note(|| format!("thread {number} is told {signal:?}"));
        self.threads[number].slot.borrow_mut().signals.push_back((token, signal));
        if self.threads[number].state == State::Listens {
            self.rise(number, Some(0));
        }
    }

    /// FUTEX_WAKE in the kernel of a node.
    pub(super) fn wake_in_kernel(&mut self, node: NodeId, addr: GlobalAddr, count: u32, bitset: u32) -> u32 {
        let mut woken = Vec::new();
        self.node(node).kernel.retain(|sleeper| {
            let wake = sleeper.addr == addr
                && sleeper.bitset & bitset != 0
                && (woken.len() as u64) < u64::from(count);
            if wake {
                woken.push(sleeper.thread);
            }
            !wake
        });
        for &number in &woken {
            self.note(|| format!("the kernel of node {node} wakes thread {number} at {addr:?}"));
            self.rise(number, Some(0));
        }
        self.books.woken += woken.len() as u64;
        woken.len() as u32
    }
}
