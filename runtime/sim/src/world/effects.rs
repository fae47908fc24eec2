//! The driver: carries out what the engines say, in order, and now and then sabotages it.

use std::rc::Rc;

use dstd_addr::{NodeId, PageNo};
use dstd_protocol::futex::{self, Input};
use dstd_protocol::page::{self, Body};
use dstd_protocol::{Message, MessageKind};

use super::node::Effect;
use super::{Event, World};
use crate::Sabotage;
use crate::check;
use crate::cpu::Signal;
use crate::failure::{Broken, Checked, Rule};
use crate::memory::{Image, Memory};
use crate::network::Envelope;

impl World {
    pub(super) fn carry_out(&mut self, node: NodeId, effect: Effect) -> Checked {
        match effect {
            Effect::Page(output, received) => self.carry_out_page(node, output, &received),
            Effect::Futex(output) => self.carry_out_futex(node, output),
            Effect::LateUnmap { first, count } => self.map(node, first, count, Memory::unmap),
            Effect::Flush => self.flush(node),
        }
    }

    fn carry_out_page(&mut self, node: NodeId, output: page::Output, received: &Rc<Vec<Image>>) -> Checked {
        self.note(|| format!("node {node} does {output:?}"));
        match output {
            page::Output::Send { to, message, body } => {
                let body = match body {
                    Body::None => Rc::default(),
                    Body::Received => Rc::clone(received),
                    Body::Pages => Rc::new(self.images(node, &message)?),
                };
                self.node(node).outbox.push((to, Envelope { message, body }));
                if self.options.sabotage == Some(Sabotage::SendEarly) {
                    self.flush(node)?;
                }
                Ok(())
            }
            page::Output::Protect { first, count } => {
                if self.sabotages(Sabotage::SkipProtect) {
                    return Ok(());
                }
                self.map(node, first, count, Memory::protect)
            }
            page::Output::Unmap { first, count } => {
                if self.sabotages(Sabotage::SkipUnmap) {
                    return Ok(());
                }
                if self.sabotages(Sabotage::RevokeLate) {
                    self.node(node).late.push(Effect::LateUnmap { first, count });
                    return Ok(());
                }
                let count = if count > 1 && self.sabotages(Sabotage::ShortRange) { 1 } else { count };
                self.map(node, first, count, Memory::unmap)
            }
            page::Output::Install { first, count, writable, skip } => {
                if self.sabotages(Sabotage::WakeEarly) {
                    self.wake_faulted(node, first, count, true);
                    self.node(node).late.push(Effect::Page(output, Rc::clone(received)));
                    return Ok(());
                }
                let wrong = usize::from(self.sabotages(Sabotage::WrongBytes));
                let mut next = usize::from(skip) + wrong;
                self.map(node, first, count, |memory, page| {
                    let image = received.get(next).copied().or_else(|| (wrong > 0).then(Image::default));
                    next += 1;
                    let Some(image) = image else {
                        return Err(Broken::new(Rule::Mapping, format!("no bytes came for {page:?}")));
                    };
                    memory.install(page, &image, writable)
                })?;
                if !self.sabotages(Sabotage::ForgetFaulted) {
                    self.wake_faulted(node, first, count, true);
                }
                Ok(())
            }
            page::Output::Upgrade { first, count } => {
                self.map(node, first, count, Memory::upgrade)?;
                self.wake_faulted(node, first, count, true);
                Ok(())
            }
            page::Output::Resolve { page, writable } => {
                self.map(node, page, 1, |memory, page| memory.resolve(page, writable))?;
                self.wake_faulted(node, page, 1, false);
                Ok(())
            }
            page::Output::Fresh { first, count } => self.make_fresh(node, first, count),
            page::Output::Watch { thread } => {
                self.watch(node, thread as usize);
                Ok(())
            }
            page::Output::Discarded { token } => {
                self.signal(token, Signal::Discarded);
                Ok(())
            }
        }
    }

    fn make_fresh(&mut self, node: NodeId, first: PageNo, count: u32) -> Checked {
        let now = self.now;
        for page in (0..u64::from(count)).map(|offset| first.plus(offset)) {
            let old = self.node(node).memory.image(page).ok();
            self.map(node, page, 1, Memory::fresh)?;
            if self.sabotages(Sabotage::SkipFresh)
                && let Some(old) = old
            {
                self.node(node).memory.restore(page, old)?;
            }
            self.order.forget(node, page, now);
            self.wake_faulted(node, page, 1, false);
        }
        Ok(())
    }

    /// Changes mappings and checks PAGE-1 after each.
    fn map(
        &mut self,
        node: NodeId,
        first: PageNo,
        count: u16,
        mut change: impl FnMut(&mut Memory, PageNo) -> Checked,
    ) -> Checked {
        for offset in 0..u64::from(count) {
            let page = first.plus(offset);
            change(&mut self.node(node).memory, page)?;
            check::single_writer::check(page, self.nodes.iter().map(|node| &node.memory))?;
        }
        Ok(())
    }

    /// The bytes of the pages that a message names.
    fn images(&mut self, node: NodeId, message: &Message) -> Checked<Vec<Image>> {
        let Some((first, count)) = message.pages().filter(|_| message.body_pages() > 0) else {
            return Err(Broken::new(Rule::Books, format!("{message:?} carries no pages")));
        };
        (0..u64::from(count)).map(|offset| self.node(node).memory.image(first.plus(offset))).collect()
    }

    fn carry_out_futex(&mut self, node: NodeId, output: futex::Output) -> Checked {
        match output {
            futex::Output::Send { to, message } => {
                self.node(node).outbox.push((to, Envelope { message, body: Rc::default() }));
            }
            futex::Output::Armed { token } => self.signal(token, Signal::Armed),
            futex::Output::Woken { token } => self.signal(token, Signal::Woken),
            futex::Output::Cancelled { token } => self.signal(token, Signal::Cancelled),
            futex::Output::WakeDone { token, woken } => {
                self.signal(token, Signal::WakeDone(woken));
            }
            futex::Output::KernelWake { ticket, addr, count, bitset } => {
                let woken = self.wake_in_kernel(node, addr, count, bitset);
                self.step_futex(node, Input::KernelWoke { ticket, woken })?;
            }
        }
        Ok(())
    }

    /// Gives the messages of a finished step to the network.
    pub(super) fn flush(&mut self, node: NodeId) -> Checked {
        for (to, envelope) in std::mem::take(&mut self.node(node).outbox) {
            self.books.send(&envelope.message, envelope.body.len())?;
            self.transmit(node, to, envelope);
        }
        let this = self.node(node);
        this.effects.extend(this.late.drain(..));
        Ok(())
    }

    fn transmit(&mut self, from: NodeId, to: NodeId, envelope: Envelope) {
        let kind = envelope.message.kind();
        if kind == MessageKind::FutexWoken && self.sabotages(Sabotage::DropWake) {
            return;
        }
        if kind == MessageKind::PageInvalidated && self.sabotages(Sabotage::ForgetAck) {
            return;
        }
        if kind == MessageKind::PageEvict && self.sabotages(Sabotage::EvictSilently) {
            return;
        }
        match envelope.message {
            Message::PageDiscard { first, count } if self.sabotages(Sabotage::ForgeDiscarded) => {
                self.forged.insert((to, first));
                let message = Message::PageDiscarded { first, count };
                self.transmit(to, from, Envelope { message, body: Rc::default() });
            }
            Message::PageDiscarded { first, .. } if self.forged_and_sent.remove(&(from, first)) => return,
            Message::PageDiscarded { first, .. } if self.forged.remove(&(from, first)) => {
                self.forged_and_sent.insert((from, first));
            }
            Message::PagePassed { first, count, .. }
                if self.pages[to.index()].directory(first).is_none()
                    && self.sabotages(Sabotage::ForgeInstalled) =>
            {
                self.forged_and_sent.insert((to, first));
                let home = self.pages[to.index()].config().layout.home(first).unwrap_or(from);
                let message = Message::PageInstalled { first, count };
                self.deliver(to, home, Envelope { message, body: Rc::default() });
            }
            Message::PageInstalled { first, .. } if self.forged_and_sent.remove(&(from, first)) => return,
            Message::PageInvalidate { first, count } if self.sabotages(Sabotage::ForgeAck) => {
                self.forged.extend(pages(first, count).map(|page| (to, page)));
                let message = Message::PageInvalidated { first, count };
                self.transmit(to, from, Envelope { message, body: Rc::default() });
            }
            // The forged one goes out at once, the true one, perhaps in parts, never.
            Message::PageInvalidated { first, count } if self.forged_and_sent.remove(&(from, first)) => {
                for page in pages(first, count) {
                    self.forged_and_sent.remove(&(from, page));
                }
                return;
            }
            Message::PageInvalidated { first, count } if self.forged.contains(&(from, first)) => {
                for page in pages(first, count) {
                    self.forged.remove(&(from, page));
                    self.forged_and_sent.insert((from, page));
                }
            }
            Message::PageRequest { .. } if self.sabotages(Sabotage::AskTwice) => {
                self.deliver(from, to, envelope.clone());
            }
            _ => {}
        }
        self.deliver(from, to, envelope);
    }

    fn deliver(&mut self, from: NodeId, to: NodeId, envelope: Envelope) {
        let arrival = self.network.send(self.now, from, to, envelope, &mut self.rng);
        self.after(arrival - self.now, Event::Arrive { from, to });
        if self.sabotages(Sabotage::Overtake) {
            self.network.overtake(from, to);
        }
    }
}

fn pages(first: PageNo, count: u16) -> impl Iterator<Item = PageNo> {
    (0..u64::from(count)).map(move |offset| first.plus(offset))
}
