//! The engine's part in the life of the program: shipped work, the end, lost peers, strays.

use std::sync::LazyLock;
use std::sync::atomic::{Ordering, fence};

use dstd_addr::{NodeId, NodeSet};
use dstd_control::stats::ExitKind;
use dstd_protocol::Message;
use dstd_transport::{CloseReason, Outbox};

use super::{Engine, ShipState};
use crate::fatal::{self, stop};
use crate::interpose::fd::ServedCall;
use crate::ship::{self, Arrived, Op, Task, Work, give_call};
use crate::wait::Wait;
use crate::{alloc, context, keeper, raw};

/// How far the orderly end of the program has come.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// Node 0 has said goodbye (on node 0: to everybody).
    said: bool,
    /// Node 0: who has not answered yet, and which thread waits for it.
    waits: Option<(NodeSet, &'static Wait)>,
    /// A node that has left without a word from node 0, and until when that word may still come.
    lost: Option<(NodeId, u64)>,
}

impl Engine {
    /// Node 0: tells everybody that the program has ended.
    pub(super) fn start_goodbye(
        &mut self,
        out: &mut dyn Outbox,
        kind: ExitKind,
        origin: NodeId,
        code: i32,
        wait: &'static Wait,
    ) {
        self.goodbye_stats(kind, origin, code);
        self.ending.said = true;
        let mut peers = NodeSet::EMPTY;
        for node in (0..self.context.layout.nodes()).map(NodeId).filter(|&node| node != self.context.me) {
            peers = peers.with(node);
            let message =
                Message::Ship { op: Op::Goodbye as u16, id: u64::from(origin.0), arg: code as u32 as u64 };
            self.send(out, node, message, &[u8::from(kind == ExitKind::Exit)]);
        }
        self.ending.waits = Some((peers, wait));
    }

    /// Node 0: lets the process end once everybody has heard of it.
    pub(super) fn finish_goodbye(&mut self, queued: usize) {
        if let Some((rest, wait)) = self.ending.waits
            && rest.is_empty()
            && queued == 0
        {
            self.ending.waits = None;
            wait.set(1, 0);
        }
    }

    fn goodbye_stats(&self, kind: ExitKind, origin: NodeId, code: i32) {
        let stats = self.context.stats;
        alloc::publish(stats);
        stats.peak_rss_bytes.store(peak_rss_bytes(), Ordering::Relaxed);
        stats.goodbye(kind, origin.0, code);
    }

    pub(super) fn closed(&mut self, peer: NodeId, why: &CloseReason) {
        if self.ending.said {
            // Node 0's process is gone, or a node that heard the goodbye: the orderly end.
            if peer == NodeId::ZERO {
                raw::exit_now(0);
            }
            self.heard_goodbye(peer);
            return;
        }
        if self.context.config.verbose {
            let line =
                fatal::Line::new(format_args!("dstd: node {} lost node {peer}: {why}\n", self.context.me));
            raw::write_stderr(line.bytes());
        }
        if peer == NodeId::ZERO || self.context.me == NodeId::ZERO {
            self.lost(peer);
        }
        // It may have heard a goodbye that this node has not read yet.
        self.ending.lost.get_or_insert((peer, raw::now_ns() + GOODBYE_COMES_NS));
    }

    fn lost(&self, peer: NodeId) -> ! {
        self.context.stats.peak_rss_bytes.store(peak_rss_bytes(), Ordering::Relaxed);
        self.context.stats.lost(peer.0);
        if !self.context.launched {
            let me = self.context.me;
            let line = fatal::Line::new(format_args!("dstd: node {me} lost its connection to node {peer}\n"));
            raw::write_stderr(line.bytes());
        }
        raw::exit_now(fatal::INTERNAL)
    }

    /// When [`Engine::lost_timer`] has something to do.
    pub(super) fn lost_deadline(&self) -> Option<u64> {
        self.ending.lost.filter(|_| !self.ending.said).map(|(_, until)| until)
    }

    /// Ends this node when another one has left and no goodbye came.
    pub(super) fn lost_timer(&self) {
        if let Some((peer, until)) = self.ending.lost
            && !self.ending.said
            && until <= raw::now_ns()
        {
            self.lost(peer);
        }
    }

    fn heard_goodbye(&mut self, peer: NodeId) {
        if let Some((rest, _)) = &mut self.ending.waits {
            *rest = rest.without(peer);
        }
    }

    pub(super) fn shipping(
        &mut self,
        out: &mut dyn Outbox,
        from: NodeId,
        op: Op,
        id: u64,
        arg: u64,
        body: &[u8],
    ) {
        match op {
            Op::AskStripes | Op::ShareStripes => self.stripes(out, from, op, id, body),
            Op::Spawn => self.hand_over(Task::Spawn { from, id, body: body.to_vec() }),
            Op::Call => self.have_done(Work::Call(Arrived { from, id, body: body.to_vec() })),
            Op::Detach => self.hand_over(Task::Detach { id }),
            Op::AskHandle => self.hand_over(Task::AskHandle { from, id, answer: arg }),
            Op::Environment => self.hand_over(Task::Environment { from, id, body: body.to_vec() }),
            Op::Follow => self.hand_over(Task::Follow { from, id, body: body.to_vec() }),
            Op::Descriptor => {
                if !give_call(ServedCall { from, id, body: body.to_vec() }) {
                    self.hand_over(Task::Serve);
                }
            }
            Op::Exit => self.have_done(Work::Exit { origin: from, code: arg as u32 as i32 }),
            Op::Spawned => self.spawned(id, arg),
            Op::Ended => self.ended(id, body),
            Op::Handle => {
                if let Some(shipped) = self.shipped.remove(&id) {
                    // Asked once, by the `OnceLock` of the handle.
                    drop(shipped.handle.set(body.to_vec()));
                    shipped.handle_wait.set(1, 0);
                }
            }
            Op::WhatIs => {
                self.say_what_it_is(out, from, id);
            }
            Op::ThisIs => {
                let me = self.context.me;
                stop!(
                    fatal::CANNOT,
                    "node {me} touched {} of node {from} at {id:#x}: only the node that owns it can use it",
                    String::from_utf8_lossy(body)
                )
            }
            Op::Goodbye if self.context.me == NodeId::ZERO => self.heard_goodbye(from),
            Op::Goodbye => {
                self.ending.said = true;
                let kind = if body.first() == Some(&1) { ExitKind::Exit } else { ExitKind::Main };
                self.goodbye_stats(kind, NodeId(id as u16), arg as u32 as i32);
                self.hand_over(Task::Leave { id, arg });
            }
        }
    }

    /// Has a pool thread do `work`.
    fn have_done(&self, work: Work) {
        if let Err(work) = ship::hand_over(work) {
            self.hand_over(Task::Give(work));
        }
    }

    pub(super) fn hand_over(&self, task: Task) {
        let task = match task {
            Task::Stripes { asker, words } => return keeper::give(asker, words),
            task => task,
        };
        if self.tasks.send(task).is_err() {
            stop!(fatal::INTERNAL, "the spawner thread of node {} is gone", self.context.me);
        }
    }

    fn spawned(&mut self, id: u64, errno: u64) {
        let Some(shipped) = self.shipped.get(&id) else { return };
        if errno == 0 {
            shipped.wait.set(ShipState::RUNNING, 0);
        } else {
            shipped.wait.set(ShipState::FAILED, errno);
            self.shipped.remove(&id);
        }
    }

    pub(super) fn ended(&mut self, id: u64, body: &[u8]) {
        let Some(shipped) = self.shipped.remove(&id) else { return };
        // Set once: a closure runs at most once (SHIP-2), so one result comes.
        drop(shipped.result.set(body.to_vec()));
        shipped.wait.set(ShipState::ENDED, 0);
        // SeqCst: either the detaching thread sees `ENDED`, or this sees `detached`.
        fence(Ordering::SeqCst);
        if shipped.detached.load(Ordering::SeqCst) {
            self.have_done(Work::Drop(shipped));
        }
    }
}

fn peak_rss_bytes() -> u64 {
    let mut usage = core::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the structure is valid for writes.
    let result = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    if result != 0 {
        return 0;
    }
    // SAFETY: filled by the call; all-zero is valid as well.
    let usage = unsafe { usage.assume_init() };
    usage.ru_maxrss as u64 * 1024
}

/// Ends the program in order: node 0's last exit handler.
pub(crate) fn goodbye(kind: ExitKind, origin: NodeId, code: i32) {
    static DONE: LazyLock<Wait> = LazyLock::new(Wait::new);
    let Some(context) = context::cluster() else {
        if let Some(stats) = context::stats() {
            alloc::publish(stats);
            stats.peak_rss_bytes.store(peak_rss_bytes(), Ordering::Relaxed);
            stats.goodbye(kind, origin.0, code);
        }
        return;
    };
    crate::stack::on_native(|| {
        context.queue.push(super::Request::Goodbye { kind, origin, code, wait: &DONE });
        DONE.wait_while(Wait::PENDING, Some(raw::now_ns() + GOODBYE_NS));
    });
}

/// How long a goodbye of node 0 may come later than the end of a node that has heard it.
const GOODBYE_COMES_NS: u64 = 200_000_000;
/// How long node 0 waits for the others to hear that the program has ended.
const GOODBYE_NS: u64 = 2_000_000_000;
