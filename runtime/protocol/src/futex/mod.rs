//! The cluster futex: who waits for an address is known at its home.
//!
//! Waiters on the home node itself sleep in the kernel; the table here holds those of other
//! nodes. A wake goes to the home, which serves kernel and table in turn and answers with the
//! true number of woken threads (std's `RwLock` decides by it).
//!
//! # Why no wake-up is lost
//! A waiter reads the word again *after* the home has queued it. When it then sleeps, it read
//! the old value while queued. The waker's store needs the page exclusively, so it retires
//! after that read; its wake reaches the home after its store, hence after the waiter was
//! queued. A waiter on the home node is checked and queued by the kernel in one step, and a
//! remote store retires only after the home's copy of the page is gone, so the same order
//! holds.
//!
//! The driver publishes [`FutexEngine::remote_waiters`] *before* it carries out the outputs of
//! a step. A home-side wake that then reads 0 may stay in the kernel: had a waiter been told
//! `Armed` and slept, the home's store would have faulted after that and seen the number.
//!
//! # Nor spent on a thread that does not sleep
//! A thread sleeps from the moment it finds the word equal after `Armed`. A wake that chooses
//! it earlier belongs to another waiter unless the word is still equal, as the kernel never
//! spends a wake on a waiter whose word differs. So the thread
//! - cancels with `pass_on: true` when the word differs, or when its time is over before it
//!   has compared; with `pass_on: false` when its time is over while it sleeps;
//! - wakes one other waiter itself when it is told `Woken` although it has asked for
//!   `pass_on: true` (that cancel and the wake have crossed between thread and engine: a
//!   cancel of a finished token is ignored here), or compares after `Woken` and finds a
//!   difference.
//!
//! A wake that crosses the cancel on the wire is passed on by the engine, with the bitset of
//! the waiter.

mod io;
mod table;
#[cfg(test)]
mod tests;
mod violation;

use core::hash::{Hash, Hasher};
use std::collections::BTreeMap;

use dstd_addr::{GlobalAddr, Layout, NodeId};

pub use io::{Input, Output};
pub use violation::Violation;

use crate::{Message, MessageKind};
use table::{Table, Waiter};

/// A wait of this node, known at `home`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Wait {
    home: NodeId,
    addr: GlobalAddr,
    bitset: u32,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Stage {
    /// `FutexWait` is under way.
    Asked,
    /// The home has queued it.
    Queued,
    /// `FutexCancel` is under way.
    Cancelling { armed: bool, pass_on: bool, woken: bool },
}

/// A wake of this node that its home has not answered yet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Wake {
    home: NodeId,
    count: u32,
    /// Passed on from a cancelled wait: no thread waits for the answer.
    passed_on: bool,
}

/// A wake that waits for the kernel's answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct KernelLeg {
    ticket: u64,
    /// The waker.
    from: NodeId,
    token: u64,
    addr: GlobalAddr,
    bitset: u32,
    /// How many the kernel may wake.
    asked: u32,
    /// How many the table gave before; none: its turn comes after the kernel.
    table_gave: Option<u32>,
}

/// The futex engine of one node: pure, it only turns inputs into outputs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FutexEngine {
    me: NodeId,
    layout: Layout,
    table: Table,
    waits: BTreeMap<u64, Wait>,
    wakes: BTreeMap<u64, Wake>,
    kernel: Option<KernelLeg>,
    next_ticket: u64,
}

impl Hash for FutexEngine {
    /// Leaves the layout out: it is the same for all engines of a program.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let FutexEngine { me, layout: _, table, waits, wakes, kernel, next_ticket } = self;
        (me, table, waits, wakes, kernel, next_ticket).hash(state);
    }
}

impl FutexEngine {
    /// The engine of node `me`.
    pub fn new(me: NodeId, layout: Layout) -> FutexEngine {
        FutexEngine {
            me,
            layout,
            table: Table::default(),
            waits: BTreeMap::new(),
            wakes: BTreeMap::new(),
            kernel: None,
            next_ticket: 0,
        }
    }

    /// How many threads of other nodes are queued here.
    pub fn remote_waiters(&self) -> u64 {
        self.table.waiters()
    }

    /// Whether this engine remembers nothing: no queue, no call under way.
    pub fn is_idle(&self) -> bool {
        self.table.waiters() == 0 && self.waits.is_empty() && self.wakes.is_empty() && self.kernel.is_none()
    }

    /// Takes one input and appends what the driver has to do.
    ///
    /// # Errors
    /// A [`Violation`] when the input cannot come from a correct driver or peer; nothing has
    /// changed and nothing was appended then.
    pub fn step(&mut self, input: Input, out: &mut Vec<Output>) -> Result<(), Violation> {
        if let Some(leg) = self.kernel {
            return match input {
                Input::KernelWoke { ticket, woken } if ticket == leg.ticket => {
                    self.kernel_woke(leg, woken, out)
                }
                Input::KernelWoke { ticket, .. } => Err(Violation::UnknownTicket { ticket }),
                _ => Err(Violation::KernelAnswerMissing { ticket: leg.ticket }),
            };
        }
        match input {
            Input::Wait { token, addr, bitset } => self.wait(token, addr, bitset, out),
            Input::Cancel { token, pass_on } => self.cancel(token, pass_on, out),
            Input::Wake { token, addr, count, bitset } => self.wake(token, addr, count, bitset, out),
            Input::KernelWoke { ticket, .. } => Err(Violation::UnknownTicket { ticket }),
            Input::Message { from, message } => self.message(from, message, out),
        }
    }

    fn home(&self, addr: GlobalAddr) -> Result<NodeId, Violation> {
        self.layout.home(addr.page()).ok_or(Violation::NotGlobal { addr })
    }

    fn wait(
        &mut self,
        token: u64,
        addr: GlobalAddr,
        bitset: u32,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let home = self.home(addr)?;
        if home == self.me {
            return Err(Violation::WaitAtHome { addr });
        }
        self.check_fresh(token)?;
        self.waits.insert(token, Wait { home, addr, bitset, stage: Stage::Asked });
        out.push(Output::Send { to: home, message: Message::FutexWait { addr, token, bitset } });
        Ok(())
    }

    fn cancel(&mut self, token: u64, pass_on: bool, out: &mut Vec<Output>) -> Result<(), Violation> {
        // A wake has crossed this cancel between the thread and the engine.
        let Some(wait) = self.waits.get_mut(&token) else { return Ok(()) };
        let armed = match wait.stage {
            Stage::Asked => false,
            Stage::Queued => true,
            Stage::Cancelling { .. } => return Err(Violation::CancelledTwice { token }),
        };
        wait.stage = Stage::Cancelling { armed, pass_on, woken: false };
        out.push(Output::Send { to: wait.home, message: Message::FutexCancel { addr: wait.addr, token } });
        Ok(())
    }

    fn wake(
        &mut self,
        token: u64,
        addr: GlobalAddr,
        count: u32,
        bitset: u32,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let home = self.home(addr)?;
        self.check_fresh(token)?;
        if home == self.me {
            self.wake_at_home(self.me, token, addr, count, bitset, out);
        } else {
            self.wakes.insert(token, Wake { home, count, passed_on: false });
            out.push(Output::Send { to: home, message: Message::FutexWake { addr, token, count, bitset } });
        }
        Ok(())
    }

    fn check_fresh(&self, token: u64) -> Result<(), Violation> {
        if self.waits.contains_key(&token) || self.wakes.contains_key(&token) {
            return Err(Violation::TokenReused { from: self.me, token });
        }
        Ok(())
    }

    fn message(&mut self, from: NodeId, message: Message, out: &mut Vec<Output>) -> Result<(), Violation> {
        let kind = message.kind();
        if from == self.me || from.0 >= self.layout.nodes() {
            return Err(Violation::BadSender { from, kind });
        }
        match message {
            Message::FutexWait { addr, token, bitset } => {
                self.check_home(from, addr)?;
                if !self.table.insert(addr, Waiter { node: from, token, bitset }) {
                    return Err(Violation::TokenReused { from, token });
                }
                out.push(Output::Send { to: from, message: Message::FutexArmed { token } });
                Ok(())
            }
            Message::FutexCancel { addr, token } => {
                self.check_home(from, addr)?;
                let removed = self.table.remove(addr, from, token);
                out.push(Output::Send { to: from, message: Message::FutexCancelled { token, removed } });
                Ok(())
            }
            Message::FutexWake { addr, token, count, bitset } => {
                self.check_home(from, addr)?;
                self.wake_at_home(from, token, addr, count, bitset, out);
                Ok(())
            }
            Message::FutexArmed { token } => self.armed(from, token, out),
            Message::FutexWoken { token } => self.woken(from, token, out),
            Message::FutexCancelled { token, removed } => self.cancelled(from, token, removed, out),
            Message::FutexWakeDone { token, woken } => self.wake_done(from, token, woken, out),
            _ => Err(Violation::NotFutex { from, kind }),
        }
    }

    fn check_home(&self, from: NodeId, addr: GlobalAddr) -> Result<(), Violation> {
        let home = self.home(addr)?;
        if home == self.me { Ok(()) } else { Err(Violation::NotHome { from, addr, home }) }
    }

    fn wake_at_home(
        &mut self,
        from: NodeId,
        token: u64,
        addr: GlobalAddr,
        count: u32,
        bitset: u32,
        out: &mut Vec<Output>,
    ) {
        let table_gave = self.table.goes_first(addr).then(|| self.wake_from_table(addr, count, bitset, out));
        let asked = count - table_gave.unwrap_or(0);
        if asked == 0 {
            self.answer_waker(from, token, table_gave.unwrap_or(0), out);
            return;
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.kernel = Some(KernelLeg { ticket, from, token, addr, bitset, asked, table_gave });
        out.push(Output::KernelWake { ticket, addr, count: asked, bitset });
    }

    fn kernel_woke(&mut self, leg: KernelLeg, woken: u32, out: &mut Vec<Output>) -> Result<(), Violation> {
        if woken > leg.asked {
            return Err(Violation::WokeTooMany { asked: leg.asked, woken });
        }
        self.kernel = None;
        let from_table = match leg.table_gave {
            Some(gave) => gave,
            None => self.wake_from_table(leg.addr, leg.asked - woken, leg.bitset, out),
        };
        self.answer_waker(leg.from, leg.token, woken + from_table, out);
        Ok(())
    }

    fn wake_from_table(&mut self, addr: GlobalAddr, count: u32, bitset: u32, out: &mut Vec<Output>) -> u32 {
        let chosen = self.table.take(addr, count, bitset);
        out.extend(chosen.iter().map(|waiter| Output::Send {
            to: waiter.node,
            message: Message::FutexWoken { token: waiter.token },
        }));
        chosen.len() as u32
    }

    fn answer_waker(&self, from: NodeId, token: u64, woken: u32, out: &mut Vec<Output>) {
        out.push(if from == self.me {
            Output::WakeDone { token, woken }
        } else {
            Output::Send { to: from, message: Message::FutexWakeDone { token, woken } }
        });
    }

    /// The wait an answer of the home is about.
    fn answered(&mut self, from: NodeId, kind: MessageKind, token: u64) -> Result<&mut Wait, Violation> {
        let wait = self.waits.get_mut(&token).ok_or(Violation::UnknownToken { from, kind, token })?;
        if wait.home == from { Ok(wait) } else { Err(Violation::NotAsked { from, kind, token }) }
    }

    fn armed(&mut self, from: NodeId, token: u64, out: &mut Vec<Output>) -> Result<(), Violation> {
        let kind = MessageKind::FutexArmed;
        match &mut self.answered(from, kind, token)?.stage {
            stage @ Stage::Asked => {
                *stage = Stage::Queued;
                out.push(Output::Armed { token });
            }
            Stage::Cancelling { armed: armed @ false, .. } => *armed = true,
            _ => return Err(Violation::OutOfOrder { from, kind, token }),
        }
        Ok(())
    }

    fn woken(&mut self, from: NodeId, token: u64, out: &mut Vec<Output>) -> Result<(), Violation> {
        let kind = MessageKind::FutexWoken;
        match &mut self.answered(from, kind, token)?.stage {
            Stage::Queued => {
                self.waits.remove(&token);
                out.push(Output::Woken { token });
            }
            Stage::Cancelling { armed: true, woken: woken @ false, .. } => *woken = true,
            _ => return Err(Violation::OutOfOrder { from, kind, token }),
        }
        Ok(())
    }

    fn cancelled(
        &mut self,
        from: NodeId,
        token: u64,
        removed: bool,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let kind = MessageKind::FutexCancelled;
        let Wait { home, addr, bitset, stage } = *self.answered(from, kind, token)?;
        match stage {
            // Left the queue: then no wake was sent. Not found in it: then one was, earlier.
            Stage::Cancelling { armed: true, pass_on, woken } if woken != removed => {
                self.waits.remove(&token);
                if woken && pass_on {
                    self.wakes.insert(token, Wake { home, count: 1, passed_on: true });
                    let message = Message::FutexWake { addr, token, count: 1, bitset };
                    out.push(Output::Send { to: home, message });
                }
                let passed_or_unwoken = pass_on || !woken;
                out.push(if passed_or_unwoken {
                    Output::Cancelled { token }
                } else {
                    Output::Woken { token }
                });
                Ok(())
            }
            _ => Err(Violation::OutOfOrder { from, kind, token }),
        }
    }

    fn wake_done(
        &mut self,
        from: NodeId,
        token: u64,
        woken: u32,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let kind = MessageKind::FutexWakeDone;
        let Wake { home, count, passed_on } =
            *self.wakes.get(&token).ok_or(Violation::UnknownToken { from, kind, token })?;
        if home != from {
            return Err(Violation::NotAsked { from, kind, token });
        }
        if woken > count {
            return Err(Violation::WokeTooMany { asked: count, woken });
        }
        self.wakes.remove(&token);
        if !passed_on {
            out.push(Output::WakeDone { token, woken });
        }
        Ok(())
    }
}
