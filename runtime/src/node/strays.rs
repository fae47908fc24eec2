//! Touches of memory that only its own node may use: they end the program, with words.
//!
//! The toucher asks the owner what it is; the thread stays where it is until then.

use dstd_addr::{Kind, NodeId};
use dstd_protocol::Message;
use dstd_transport::Outbox;

use super::Engine;
use crate::locals::Slot;
use crate::ship::Op;
use crate::{context, record};

impl Engine {
    /// A thread of this node touched memory that only `owner` may use.
    pub(super) fn ask_what_it_is(&mut self, out: &mut dyn Outbox, owner: NodeId, addr: u64) {
        self.send(out, owner, Message::Ship { op: Op::WhatIs as u16, id: addr, arg: 0 }, &[]);
    }

    /// Tells `from`, which touched memory of this node, what it was: `from` then stops the program.
    pub(super) fn say_what_it_is(&mut self, out: &mut dyn Outbox, from: NodeId, addr: u64) {
        let name = name_of(self.context.layout.kind(addr), addr);
        let message = Message::Ship { op: Op::ThisIs as u16, id: addr, arg: 0 };
        self.send(out, from, message, name.as_bytes());
    }

    /// The address that is asked for, when it is a thread-local of this node whose thread has ended.
    pub(super) fn asks_the_dead(&self, message: Message) -> Option<u64> {
        let Message::PageRequest { first, .. } = message else { return None };
        let addr = first.addr().0;
        let own = self.context.layout.kind(addr) == Kind::ThreadLocal(self.context.me);
        (own && !Slot::at(addr).is_some_and(Slot::is_live)).then_some(addr)
    }
}

fn name_of(kind: Kind, addr: u64) -> String {
    match kind {
        Kind::Private(_) => "private memory of the runtime".to_owned(),
        Kind::ThreadLocal(_) => "a thread-local, after the end of its thread,".to_owned(),
        _ if record::all().any(|record| record.has_thread_local(addr)) => name_of_local(addr).to_owned(),
        Kind::Native(_) if Slot::at(addr).is_some() => "the native stack of a thread".to_owned(),
        _ => std::fs::read_to_string("/proc/self/maps")
            .ok()
            .and_then(|maps| file_at(&maps, addr))
            .map_or("a private mapping (mmap or C library)".to_owned(), |file| {
                format!("a mapping of {file}")
            }),
    }
}

/// A thread-local that cannot be lent.
fn name_of_local(addr: u64) -> &'static str {
    let lent = context::slots().is_some_and(|slots| !slots.locals.is_empty());
    match Slot::at(addr) {
        _ if !lent => "a thread-local (the program was linked without dstd's script)",
        Some(_) => "a thread-local of a library or of std",
        None => "a thread-local of a thread that a library started",
    }
}

/// The file that is mapped at `addr`, by the lines of `/proc/self/maps`.
fn file_at(maps: &str, addr: u64) -> Option<String> {
    maps.lines().find_map(|line| {
        let mut words = line.splitn(6, ' ');
        let (start, end) = words.next()?.split_once('-')?;
        let range = u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?;
        let file = words.nth(4)?.trim();
        (range.contains(&addr) && !file.is_empty()).then(|| file.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_file_is_named() {
        let maps = "\
7bffdfffe000-7bffdffff000 rw-p 00000000 00:00 0
7bffdffff000-7bffe0000000 r--s 00001000 08:01 1234                       /tmp/two words.bin
7fffffffe000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]
";
        assert_eq!(file_at(maps, 0x7bff_dfff_f800).as_deref(), Some("/tmp/two words.bin"));
        assert_eq!(file_at(maps, 0x7bff_dfff_e000), None);
        assert_eq!(file_at(maps, 0x7bff_dfff_d000), None);
    }
}
